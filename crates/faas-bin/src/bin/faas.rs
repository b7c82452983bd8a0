//! The command line.

fn main() -> std::process::ExitCode {
    faas_program::main()
}
