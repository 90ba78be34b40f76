//! What a program prints.

use std::process::{Command, Output};

use crate::Result;

/// Runs a command that ends by itself.
///
/// # Errors
///
/// With what it says, when it fails.
pub(crate) fn output_of(command: &mut Command) -> Result<Output> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(output)
    } else {
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(format!("{command:?} ended with {}: {errors}", output.status).into())
    }
}
