//! A table as it is there, read off the database's catalogue.

/// A table, view, or what else has its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Table {
    pub(in crate::store) name: String,
    /// What it is where that is no table in the engine that it should be in: `a view`.
    pub(in crate::store) oddity: Option<String>,
    pub(in crate::store) columns: Vec<Column>,
    pub(in crate::store) keys: Vec<Key>,
    /// The names of its CHECK constraints, or their place in its text.
    pub(in crate::store) checks: Vec<String>,
    /// The names of its foreign keys.
    pub(in crate::store) foreign_keys: Vec<String>,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Column {
    pub(in crate::store) name: String,
    /// In lower case, as the database has it.
    pub(in crate::store) declared: String,
    /// The same as all releases of a server write it: [`plain_type`].
    pub(in crate::store) kind: String,
    pub(in crate::store) charset: Option<String>,
    pub(in crate::store) collation: Option<String>,
    pub(in crate::store) nullable: bool,
    /// The default as an SQL expression, where the catalogue has it as one.
    pub(in crate::store) default: Option<String>,
    /// Whether the database numbers rows by it.
    pub(in crate::store) auto_increment: bool,
    /// Whether it is computed from others.
    pub(in crate::store) generated: bool,
}

impl Column {
    /// Whether an INSERT may leave it out.
    pub(in crate::store) fn may_be_left_out(&self) -> bool {
        self.nullable || self.auto_increment || self.generated || self.default.is_some()
    }
}

/// An index over the whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Key {
    pub(in crate::store) name: String,
    pub(in crate::store) primary: bool,
    pub(in crate::store) unique: bool,
    /// A column that it has not as a whole, or not in the column's own order, has that
    /// behind its name: `name(10)`.
    pub(in crate::store) columns: Vec<String>,
    /// The statement that makes it again, where the catalogue has one.
    pub(in crate::store) sql: Option<String>,
}

impl Table {
    /// The column of that name.
    pub(in crate::store) fn column(&self, name: &str) -> Option<&Column> {
        let mut columns = self.columns.iter();
        columns.find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

impl Key {
    /// Whether it is over exactly these columns.
    pub(in crate::store) fn is_over(&self, columns: &[&str]) -> bool {
        self.columns.len() == columns.len()
            && (self.columns.iter().zip(columns))
                .all(|(own, other)| own.eq_ignore_ascii_case(other))
    }
}

/// A type without the width by which older servers display integers: `int(11) unsigned`
/// is `int unsigned`.
pub(in crate::store) fn plain_type(declared: &str) -> String {
    let declared = declared.to_ascii_lowercase();
    if let Some((name, rest)) = declared.split_once('(')
        && name.ends_with("int")
        && let Some((_, rest)) = rest.split_once(')')
    {
        return format!("{name}{rest}");
    }
    declared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_lose_their_display_width() {
        for (declared, plain) in [
            ("INT(11)", "int"),
            ("int(10) unsigned", "int unsigned"),
            ("bigint unsigned", "bigint unsigned"),
            ("varchar(255)", "varchar(255)"),
            ("datetime(6)", "datetime(6)"),
            ("point", "point"),
        ] {
            assert_eq!(plain_type(declared), plain);
        }
    }
}
