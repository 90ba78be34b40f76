//! Defaults of a server that break what a service promises, unless its sessions are set.

use testkit::servers::TestDatabase;

/// Each sets one default, and takes it back so that a test may look. (None limits the time of a
/// statement: a limit that cuts the store's statements would cut the test's as well.)
const BOTH: &[[&str; 2]] = &[
    ["autocommit = 0", "autocommit = 1"],
    ["completion_type = 1", "completion_type = 0"],
    [
        "sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,IGNORE_SPACE'",
        "sql_mode = DEFAULT",
    ],
    ["time_zone = '+05:00'", "time_zone = DEFAULT"],
    ["sql_safe_updates = 1", "sql_safe_updates = 0"],
    ["sql_select_limit = 1", "sql_select_limit = DEFAULT"],
    ["max_join_size = 1", "max_join_size = DEFAULT"],
    ["max_sort_length = 64", "max_sort_length = DEFAULT"],
    ["sql_auto_is_null = 1", "sql_auto_is_null = 0"],
    ["unique_checks = 0", "unique_checks = 1"],
    ["foreign_key_checks = 0", "foreign_key_checks = 1"],
    [
        "default_storage_engine = MyISAM",
        "default_storage_engine = InnoDB",
    ],
    ["lock_wait_timeout = 1", "lock_wait_timeout = DEFAULT"],
    [
        "innodb_lock_wait_timeout = 1",
        "innodb_lock_wait_timeout = DEFAULT",
    ],
    [
        "character_set_results = latin1",
        "character_set_results = utf8mb4",
    ],
    [
        "character_set_client = latin1",
        "character_set_client = utf8mb4",
    ],
    [
        "collation_connection = latin1_german2_ci",
        "collation_connection = utf8mb4_general_ci",
    ],
];
const MARIADB: &[[&str; 2]] = &[
    ["check_constraint_checks = 0", "check_constraint_checks = 1"],
    [
        "idle_transaction_timeout = 1",
        "idle_transaction_timeout = 0",
    ],
];

/// Sets all of them, and what a hoster runs in each new session. Read-only comes last: it would
/// refuse what a test does before.
pub(crate) fn set(database: &TestDatabase, init_connect: &str, completion_type: u8) {
    let sql = |sql: &str| database.query_rows(sql);
    for [set, _] in all(is_mariadb(database)) {
        sql(&format!("SET GLOBAL {set}"));
    }
    sql(&format!("SET GLOBAL completion_type = {completion_type}"));
    sql(&format!("SET GLOBAL init_connect = '{init_connect}'"));
    sql("SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY");
}

/// Takes all of it back, so that a test may look.
pub(crate) fn reset(database: &TestDatabase) {
    let sql = |sql: &str| database.query_rows(sql);
    sql("SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE");
    sql("SET GLOBAL init_connect = ''");
    // Without these a SELECT may be refused, of the version too.
    for [_, reset] in BOTH {
        sql(&format!("SET GLOBAL {reset}"));
    }
    for [_, reset] in all(is_mariadb(database)) {
        sql(&format!("SET GLOBAL {reset}"));
    }
}

fn all(is_mariadb: bool) -> impl Iterator<Item = &'static [&'static str; 2]> {
    let own = if is_mariadb { MARIADB } else { &[] };
    BOTH.iter().chain(own)
}

fn is_mariadb(database: &TestDatabase) -> bool {
    let version = database.query_rows("SELECT VERSION()");
    version.concat().concat().contains("MariaDB")
}
