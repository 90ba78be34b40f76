//! Where a database is, by what its server reports and a dump does not carry.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a database is. The URL is no part of it: a proxy or an alias leads to the same place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Place {
    /// A database of MySQL or MariaDB.
    Mysql {
        /// The name of the database.
        database: String,
        /// Host name and port, as the server reports them.
        host: String,
        /// The server's data folder.
        folder: String,
        /// The server's UUID, which only MySQL has.
        server: String,
        /// When the table of the identity was created, in seconds since 1970; empty if unknown.
        created: String,
    },
    /// A SQLite file.
    Sqlite {
        /// The path of the file, with links resolved.
        path: String,
        /// Device and inode of the file.
        inode: String,
    },
}

/// How two places compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// Everything is equal.
    Same,
    /// The places differ as one place does that has changed: another host name, a recreated table.
    Alike,
    /// These are two places.
    Other,
}

impl Place {
    /// Returns the form in which a place is stored.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the stored form. `None` for a text that [`Place::encode`] has not made.
    pub fn parse(text: &str) -> Option<Place> {
        serde_json::from_str(text).ok()
    }

    /// How this place compares with one that was noted earlier.
    pub fn likeness(&self, other: &Place) -> Likeness {
        if self == other {
            return Likeness::Same;
        }
        let is_alike = match (self, other) {
            (
                Place::Mysql {
                    database,
                    host,
                    folder,
                    server,
                    created,
                },
                Place::Mysql {
                    database: other_database,
                    host: other_host,
                    folder: other_folder,
                    server: other_server,
                    created: other_created,
                },
            ) => {
                let is_same_server = if server.is_empty() || other_server.is_empty() {
                    let was_made_at_once = !created.is_empty() && created == other_created;
                    folder == other_folder && (host == other_host || was_made_at_once)
                } else {
                    server == other_server
                };
                database == other_database && is_same_server
            }
            (
                Place::Sqlite { path, inode },
                Place::Sqlite {
                    path: other_path,
                    inode: other_inode,
                },
            ) => path == other_path || inode == other_inode,
            _ => false,
        };
        if is_alike {
            Likeness::Alike
        } else {
            Likeness::Other
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Mysql { database, host, .. } => write!(formatter, "{database} at {host}"),
            Place::Sqlite { path, .. } => formatter.write_str(path),
        }
    }
}
