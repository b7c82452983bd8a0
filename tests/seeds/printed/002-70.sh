./target/release/faas-bin
