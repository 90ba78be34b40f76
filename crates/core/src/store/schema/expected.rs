//! What the migrations make: the one list of it. A new table, column, key or CHECK
//! goes into its migrations and in here, with the number of the migration.

/// Whose SQL the tables are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    Mysql,
    Sqlite,
}

/// The tables of one database.
#[derive(Debug)]
pub(in crate::store) struct Expected {
    pub(in crate::store) kind: Kind,
    pub(in crate::store) tables: &'static [ExpectedTable],
}

/// A table of ours.
#[derive(Debug)]
pub(in crate::store) struct ExpectedTable {
    pub(in crate::store) name: &'static str,
    /// The migration that makes it.
    pub(in crate::store) since: &'static str,
    /// The migration that puts the row into it without which it is of no use.
    pub(in crate::store) row_since: Option<&'static str>,
    pub(in crate::store) columns: &'static [ExpectedColumn],
    pub(in crate::store) keys: &'static [ExpectedKey],
    /// The names of its CHECK constraints.
    pub(in crate::store) checks: &'static [&'static str],
}

/// A column of ours.
#[derive(Debug)]
pub(in crate::store) struct ExpectedColumn {
    pub(in crate::store) name: &'static str,
    pub(in crate::store) kind: &'static str,
    pub(in crate::store) collation: Option<&'static str>,
    pub(in crate::store) nullable: bool,
    pub(in crate::store) auto_increment: bool,
    /// Whether an INSERT leaves it out.
    pub(in crate::store) may_be_left_out: bool,
    /// The migration that adds it to a table of an earlier one.
    pub(in crate::store) since: Option<&'static str>,
}

/// A key of ours. Its name does not matter.
#[derive(Debug)]
pub(in crate::store) struct ExpectedKey {
    pub(in crate::store) kind: KeyKind,
    pub(in crate::store) columns: &'static [&'static str],
    /// The migration that adds it to a table of an earlier one, or makes it what it is.
    pub(in crate::store) since: Option<&'static str>,
    /// What it is before that migration, if it is there.
    pub(in crate::store) was: Option<KeyKind>,
}

/// What a key promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum KeyKind {
    Primary,
    Unique,
    Plain,
}

const fn column(name: &'static str, kind: &'static str) -> ExpectedColumn {
    ExpectedColumn {
        name,
        kind,
        collation: None,
        nullable: false,
        auto_increment: false,
        may_be_left_out: false,
        since: None,
    }
}

impl ExpectedColumn {
    const fn null(mut self) -> Self {
        self.nullable = true;
        self.may_be_left_out = true;
        self
    }

    const fn default(mut self) -> Self {
        self.may_be_left_out = true;
        self
    }

    const fn numbered(mut self) -> Self {
        self.auto_increment = true;
        self.may_be_left_out = true;
        self
    }

    const fn collate(mut self, collation: &'static str) -> Self {
        self.collation = Some(collation);
        self
    }

    const fn since(mut self, migration: &'static str) -> Self {
        self.since = Some(migration);
        self
    }
}

const fn key(kind: KeyKind, columns: &'static [&'static str]) -> ExpectedKey {
    ExpectedKey {
        kind,
        columns,
        since: None,
        was: None,
    }
}

impl ExpectedKey {
    const fn since(mut self, migration: &'static str) -> Self {
        self.since = Some(migration);
        self
    }

    const fn was(mut self, kind: KeyKind) -> Self {
        self.was = Some(kind);
        self
    }
}

use KeyKind::{Plain, Primary, Unique};

/// What `migrations/mysql` makes.
pub(in crate::store) const MYSQL: Expected = Expected {
    kind: Kind::Mysql,
    tables: &[
        ExpectedTable {
            name: "users",
            since: "00000000000001",
            row_since: None,
            columns: &[
                column("id", "bigint unsigned").numbered(),
                column("name", "varchar(255)").collate("utf8mb4_bin"),
                column("age", "smallint").null(),
                column("occupation", "varchar(255)")
                    .collate("utf8mb4_bin")
                    .null(),
                column("version", "bigint").default(),
                column("deleted_at", "datetime(6)").null(),
                column("judged", "tinyint")
                    .default()
                    .since("00000000000006"),
            ],
            keys: &[
                key(Primary, &["name"]).was(Unique).since("00000000000013"),
                key(Unique, &["id"]),
                key(Plain, &["deleted_at"]).since("00000000000013"),
            ],
            checks: &["users_live_is_whole"],
        },
        ExpectedTable {
            name: "users_identity",
            since: "00000000000002",
            row_since: None,
            columns: &[
                column("id", "tinyint"),
                column("identity", "char(16)").collate("ascii_bin"),
            ],
            keys: &[key(Primary, &["id"])],
            checks: &[],
        },
        ExpectedTable {
            name: "cache_epoch",
            since: "00000000000003",
            row_since: Some("00000000000004"),
            columns: &[
                column("id", "tinyint"),
                column("epoch", "bigint"),
                column("bypassed", "tinyint"),
                column("run", "varchar(64)").collate("ascii_bin").default(),
                column("purged_through", "bigint")
                    .default()
                    .since("00000000000008"),
                column("alone_starts", "bigint")
                    .default()
                    .since("00000000000010"),
                column("shared_starts", "bigint")
                    .default()
                    .since("00000000000010"),
                column("reserved_through", "bigint")
                    .null()
                    .since("00000000000014"),
            ],
            keys: &[key(Primary, &["id"])],
            checks: &[],
        },
        ExpectedTable {
            name: "cache_members",
            since: "00000000000005",
            row_since: None,
            columns: &[
                column("process", "varchar(128)").collate("ascii_bin"),
                column("trusts", "tinyint"),
                column("cut_off", "tinyint"),
                column("for_good", "tinyint"),
                column("lease_ms", "bigint"),
                column("beats", "bigint"),
            ],
            keys: &[key(Primary, &["process"])],
            checks: &[],
        },
        ExpectedTable {
            name: "cache_binding",
            since: "00000000000007",
            row_since: None,
            columns: &[
                column("id", "tinyint"),
                column("token", "char(16)").collate("ascii_bin"),
                column("previous", "char(16)").collate("ascii_bin"),
                column("newest", "bigint"),
                column("served_by", "varchar(4096)")
                    .collate("utf8mb4_bin")
                    .default()
                    .since("00000000000011"),
                column("shards", "int").default().since("00000000000012"),
            ],
            keys: &[key(Primary, &["id"])],
            checks: &[],
        },
    ],
};

/// What `migrations/sqlite` makes. SQLite's CHECKs have no names here: they count.
pub(in crate::store) const SQLITE: Expected = Expected {
    kind: Kind::Sqlite,
    tables: &[
        ExpectedTable {
            name: "users",
            since: "00000000000001",
            row_since: None,
            columns: &[
                column("id", "integer").numbered(),
                column("name", "text"),
                column("age", "integer").null(),
                column("occupation", "text").null(),
                column("version", "integer").default(),
                column("deleted_at", "timestamp").null(),
                column("judged", "integer")
                    .default()
                    .since("00000000000007"),
            ],
            keys: &[
                key(Primary, &["id"]),
                key(Unique, &["name"]),
                // As the catalogue shows an index over tombstones.
                key(Plain, &["version of some rows"]).since("00000000000012"),
            ],
            checks: &["check 1"],
        },
        ExpectedTable {
            name: "users_identity",
            since: "00000000000002",
            row_since: None,
            columns: &[
                column("id", "integer").default(),
                column("identity", "text"),
            ],
            keys: &[key(Primary, &["id"])],
            checks: &[],
        },
        ExpectedTable {
            name: "cache_epoch",
            since: "00000000000004",
            row_since: Some("00000000000005"),
            columns: &[
                column("id", "integer").default(),
                column("epoch", "integer"),
                column("bypassed", "integer"),
                column("run", "text").default(),
                column("purged_through", "integer")
                    .default()
                    .since("00000000000009"),
                column("reserved_through", "integer")
                    .null()
                    .since("00000000000013"),
            ],
            keys: &[key(Primary, &["id"])],
            checks: &[],
        },
        ExpectedTable {
            name: "cache_members",
            since: "00000000000006",
            row_since: None,
            columns: &[
                column("process", "text"),
                column("trusts", "integer"),
                column("cut_off", "integer"),
                column("for_good", "integer"),
                column("lease_ms", "integer"),
                column("beats", "integer"),
            ],
            keys: &[key(Primary, &["process"])],
            checks: &[],
        },
        ExpectedTable {
            name: "cache_binding",
            since: "00000000000008",
            row_since: None,
            columns: &[
                column("id", "integer").default(),
                column("token", "text"),
                column("previous", "text"),
                column("newest", "integer"),
                column("served_by", "text")
                    .default()
                    .since("00000000000010"),
                column("shards", "integer")
                    .default()
                    .since("00000000000011"),
            ],
            keys: &[key(Primary, &["id"])],
            checks: &[],
        },
    ],
};
