//! How many files, and so connections, a process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of this process, and of those that it starts, as far as it may: shells set it
/// lower than a thousand connections need.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    // If the limit cannot be raised, opening one file too many fails later and is reported there.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_as_high_as_it_may_be() {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let lower = Rlimit {
            current: Some(512),
            maximum,
        };
        setrlimit(Resource::Nofile, lower).unwrap();
        raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current, maximum);
    }
}
