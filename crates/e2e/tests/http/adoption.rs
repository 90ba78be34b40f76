//! A service on the table that the classic demos of its pattern make.

use std::fs;
use std::process::Command;

use serde_json::json;
use testkit::parts::Installation;
use testkit::service::run_to_end;

use crate::api::{Api, record, version};
use crate::combination::Turn;

checks!(
    adoption: rows_of_a_classic_table_are_served,
    duplicate_rows_end_start_and_migrate,
    an_adoption_that_is_killed_is_continued,
);

/// Exit code of what the operator has to decide.
const REFUSED: i32 = 64;

/// The parts on which nothing runs yet, and their database.
struct Site<'t> {
    turn: &'t Turn,
    installation: Installation,
}

impl Site<'_> {
    /// With the classic table, and rows in it: `(id, name, age, occupation)`.
    fn with_classic_table<'t>(turn: &'t Turn, rows: &str) -> Site<'t> {
        let installation = turn.install();
        let site = Site { turn, installation };
        let id = match site.installation.database() {
            Some(_) => "INT AUTO_INCREMENT PRIMARY KEY",
            None => "INTEGER PRIMARY KEY AUTOINCREMENT",
        };
        site.execute(&format!(
            "CREATE TABLE users (id {id}, name VARCHAR(255) NOT NULL, age INT NOT NULL, \
             occupation VARCHAR(255) NOT NULL)"
        ));
        site.execute(&format!("INSERT INTO users VALUES {rows}"));
        site
    }

    fn execute(&self, sql: &str) {
        match self.installation.database() {
            Some(database) => drop(database.query_rows(sql)),
            None => self.file().execute_batch(sql).unwrap(),
        }
    }

    /// The numbers in the first column.
    fn numbers(&self, query: &str) -> Vec<i64> {
        let Some(database) = self.installation.database() else {
            let file = self.file();
            let mut query = file.prepare(query).unwrap();
            let rows = query.query_map([], |row| row.get(0)).unwrap();
            return rows.map(Result::unwrap).collect();
        };
        let rows = database.query_rows(query);
        rows.iter().map(|row| row[0].parse().unwrap()).collect()
    }

    fn file(&self) -> rusqlite::Connection {
        let pattern = self.turn.service().name().trim_end_matches("-svc");
        let folder = self.installation.folder().join("data").join(pattern);
        fs::create_dir_all(&folder).unwrap();
        rusqlite::Connection::open(folder.join("users.db")).unwrap()
    }

    fn served(&self, check: impl FnOnce(&Api)) {
        let mut process = self.installation.start(self.turn.service());
        check(&Api::at(self.turn.service(), process.base_url()));
        assert!(process.terminate().success());
    }

    fn migrate(&self, arguments: &[&str]) -> Command {
        let mut command = self.installation.command();
        command.arg("migrate").args(arguments);
        command
    }
}

/// The exit code, standard output and standard error.
fn run(mut command: Command) -> (Option<i32>, String, String) {
    let output = run_to_end(&mut command);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

pub(crate) fn rows_of_a_classic_table_are_served(turn: &Turn) {
    let rows = "(3, 'Ann', 20, 'A'), (5, 'Bob', 30, 'B'), (7, 'Eve', 40, 'E'), (8, 'Zoë', 50, 'Z')";
    let site = Site::with_classic_table(turn, rows);
    site.served(|api| {
        for _ in 0..2 {
            let answer = api.get("Ann");
            assert_eq!(answer.json(), record("Ann", 20, "A"));
            assert_eq!(version(&answer), 0);
        }
        assert_eq!(api.all_users(2).len(), 4);
        // On the condition of what was read, and without having read it.
        let body = json!({ "age": 21, "occupation": "AA" });
        let path = "/users/Ann";
        let put = |etag| {
            api.client().request(
                "PUT",
                path,
                &[("If-Match", etag), ("Content-Type", "application/json")],
                Some(body.to_string().as_bytes()),
            )
        };
        assert_eq!(put("\"1\"").status, 412);
        assert_eq!(put("\"0\"").status, 200);
        assert_eq!(put("\"0\"").status, 412);
        api.must_write(&record("Bob", 31, "BB"));
        assert_eq!(api.delete("Eve").status, 204);
        assert_eq!(api.get("Eve").status, 404);
        let delete =
            api.client()
                .request("DELETE", "/users/Zo%C3%AB", &[("If-Match", "\"0\"")], None);
        assert_eq!(delete.status, 204);
        api.settle();
    });
    site.served(|api| {
        let expected = [record("Ann", 21, "AA"), record("Bob", 31, "BB")];
        assert_eq!(api.all_users(10), expected);
        assert_eq!(api.get("Eve").status, 404);
        assert_eq!(api.get("Zoë").status, 404);
    });
    let ids = site.numbers("SELECT id FROM users WHERE deleted_at IS NULL ORDER BY id");
    assert_eq!(ids, [3, 5]);
}

const DUPLICATES: &str =
    "(1, 'Ann', 20, 'A'), (2, 'Ann', 21, 'AA'), (3, 'Bob', 200, 'B'), (4, 'Eve', 40, 'E')";

pub(crate) fn duplicate_rows_end_start_and_migrate(turn: &Turn) {
    let site = Site::with_classic_table(turn, DUPLICATES);
    let start = site.installation.command();
    for command in [start, site.migrate(&[]), site.migrate(&["--dry-run"])] {
        let (code, _, said) = run(command);
        assert_eq!(code, Some(REFUSED), "{said}");
        for part in [
            "users",
            "2 of 4 rows",
            "(id 1)",
            "(id 3)",
            "migrate --adopt=newest",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("Ann"), "{said}");
    }
    assert_eq!(run(site.migrate(&["--adopt=oldest"])).0, Some(REFUSED));
    let (code, would, _) = run(site.migrate(&["--adopt=newest", "--dry-run"]));
    assert_eq!(code, Some(0));
    assert!(
        would.contains("2 of 4 rows") && would.contains("would be"),
        "{would}"
    );
    assert_eq!(
        site.numbers("SELECT id FROM users ORDER BY id"),
        [1, 2, 3, 4]
    );

    let (code, done, said) = run(site.migrate(&["--adopt=newest"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(done.contains("was adopted with 2 rows"), "{done}");
    let (code, would, _) = run(site.migrate(&["--dry-run"]));
    assert_eq!(
        (code, would.trim_end()),
        (Some(0), "the tables are up to date")
    );
    site.served(|api| {
        assert_eq!(
            api.all_users(10),
            [record("Ann", 21, "AA"), record("Eve", 40, "E")]
        );
    });
    assert_eq!(
        site.numbers("SELECT id FROM users_set_aside ORDER BY id"),
        [1, 3]
    );
}

/// After each point it is in another state, and no row may be lost in any.
pub(crate) fn an_adoption_that_is_killed_is_continued(turn: &Turn) {
    for point in ["adopt.batch_set_aside", "adopt.set_aside", "adopt.adopted"] {
        let site = Site::with_classic_table(turn, DUPLICATES);
        let mut command = site.migrate(&["--adopt=newest"]);
        command.env("FAULT_POINTS", format!("{point}=crash@1"));
        let (code, _, said) = run(command);
        assert_eq!(code, None, "{point} was not passed: {said}");
        let (code, _, said) = run(site.migrate(&["--adopt=newest"]));
        assert_eq!(code, Some(0), "{point}: {said}");
        assert_eq!(
            site.numbers("SELECT id FROM users ORDER BY id"),
            [2, 4],
            "{point}"
        );
        assert_eq!(
            site.numbers("SELECT id FROM users_set_aside ORDER BY id"),
            [1, 3]
        );
        site.served(|api| assert_eq!(api.all_users(10).len(), 2));
    }
}
