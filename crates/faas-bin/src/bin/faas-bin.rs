//! The same program under a name that starts the server when no command is given.

fn main() -> std::process::ExitCode {
    faas_program::main()
}
