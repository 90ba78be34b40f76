use super::*;

fn mysql(database: &str, host: &str, server: &str, created: &str) -> Place {
    Place::Mysql {
        database: database.to_owned(),
        host: host.to_owned(),
        folder: "/var/lib/mysql/".to_owned(),
        server: server.to_owned(),
        created: created.to_owned(),
    }
}

fn bound(token: &str, place: Place) -> Bound {
    Bound {
        identity: "0123456789abcdef".to_owned(),
        token: token.to_owned(),
        previous: "before".to_owned(),
        place,
        newest: Version::new(10).unwrap(),
        served_by: String::new(),
        shards: 1,
    }
}

fn found(token: &str, place: &Place) -> Found {
    let binding = Binding {
        token: token.to_owned(),
        shards: Some(1),
        is_packed: true,
        place: place.clone(),
    };
    Found {
        stored: binding.to_string(),
        ..Found::default()
    }
}

#[test]
fn bindings_and_places_are_read_as_they_are_written() {
    let sqlite = Place::Sqlite {
        path: "/a b/users.db".to_owned(),
        inode: "1:2".to_owned(),
    };
    for place in [mysql("users", "db:3306", "", "1"), sqlite] {
        for (shards, is_packed) in [(Some(12), true), (Some(12), false), (None, false)] {
            let binding = Binding {
                token: "token".to_owned(),
                shards,
                is_packed,
                place: place.clone(),
            };
            assert_eq!(Binding::parse(&binding.to_string()), Some(binding));
        }
    }
    assert_eq!(Binding::parse(""), None);
    let place = mysql("users", "db:3306", "", "1").encode();
    for other in ["token/", "token/x", "token/-1", "token/70000"] {
        assert_eq!(Binding::parse(&format!("{other} {place}")), None, "{other}");
    }
}

#[test]
fn a_recreated_container_is_alike_and_a_dump_is_another_place() {
    let old = mysql("users", "a1b2:3306", "", "100");
    for (now, expected) in [
        (mysql("users", "a1b2:3306", "", "100"), Likeness::Same),
        (mysql("users", "c3d4:3306", "", "100"), Likeness::Alike),
        (mysql("users", "a1b2:3306", "", "200"), Likeness::Alike),
        (mysql("users", "c3d4:3306", "", "200"), Likeness::Other),
        (mysql("staging", "a1b2:3306", "", "100"), Likeness::Other),
    ] {
        assert_eq!(now.likeness(&old), expected, "{now:?}");
    }
    let old = mysql("users", "a1b2:3306", "uuid-1", "100");
    for (now, expected) in [
        (
            mysql("users", "c3d4:3306", "uuid-1", "200"),
            Likeness::Alike,
        ),
        (
            mysql("users", "a1b2:3306", "uuid-2", "100"),
            Likeness::Other,
        ),
    ] {
        assert_eq!(now.likeness(&old), expected, "{now:?}");
    }
}

#[test]
fn a_database_at_its_place_with_its_token_goes_on() {
    let place = mysql("users", "db:3306", "", "1");
    let mine = bound("token", place.clone());
    let mut there = found("token", &place);
    there.others = vec![place.clone()];
    there.waiting = 9;
    assert_eq!(judge(&mine, &there, Kinship::Same, false), Verdict::Holds);
    assert_eq!(
        judge(&mine, &Found::default(), Kinship::Same, false),
        Verdict::Binds
    );
    // A move that was cut short is finished.
    assert_eq!(
        judge(&mine, &found("before", &place), Kinship::Same, false),
        Verdict::Binds
    );
}

#[test]
fn a_copy_is_refused_while_the_original_is_served() {
    let (place, copy) = (
        mysql("users", "db:3306", "", "1"),
        mysql("staging", "db:3306", "", "2"),
    );
    let mut there = found("token", &place);
    there.others = vec![place.clone()];
    let judged = judge(&bound("token", copy), &there, Kinship::Same, false);
    assert_eq!(judged, Verdict::Served(place));
}

#[test]
fn a_database_that_moved_is_bound_unless_entries_wait() {
    let (place, new) = (
        mysql("users", "db:3306", "uuid-1", "1"),
        mysql("users", "db2:3306", "uuid-2", "1"),
    );
    let mine = bound("token", new);
    let mut there = found("token", &place);
    assert_eq!(judge(&mine, &there, Kinship::Same, false), Verdict::Binds);
    there.waiting = 3;
    assert_eq!(
        judge(&mine, &there, Kinship::Same, false),
        Verdict::Waiting(place, 3)
    );
    assert_eq!(judge(&mine, &there, Kinship::Same, true), Verdict::Binds);
}

#[test]
fn an_older_state_and_another_token_are_refused() {
    let place = mysql("users", "db:3306", "", "1");
    let mine = bound("token", place.clone());
    let mut there = found("token", &place);
    there.committed = Version::new(11).unwrap();
    assert_eq!(judge(&mine, &there, Kinship::Same, false), Verdict::Older);
    let other = found("other", &place);
    assert_eq!(
        judge(&mine, &other, Kinship::Same, false),
        Verdict::Rebound(place)
    );
}

fn cache(run: &str, database: i64, address: &str) -> CacheSite {
    CacheSite {
        run: run.to_owned(),
        database,
        address: address.to_owned(),
    }
}

#[test]
fn a_redis_is_known_by_its_run_and_then_by_its_address() {
    let place = mysql("users", "db:3306", "uuid-1", "1");
    let noted = ServedBy {
        cache: cache("run", 0, "a:6379"),
        place: place.clone(),
        contender: None,
    };
    assert_eq!(ServedBy::parse(&noted.encode()), Some(noted.clone()));
    for (now, expected) in [
        (cache("run", 0, "a:6379"), Kinship::Same),
        (cache("run", 0, "alias:6379"), Kinship::Same),
        (cache("run", 1, "a:6379"), Kinship::Other),
        (cache("later", 0, "a:6379"), Kinship::Restarted),
        (cache("later", 0, "b:6379"), Kinship::Other),
    ] {
        let kinship = ServedBy::kinship(Some(&noted), &now);
        assert_eq!(kinship, expected, "{now:?}");
    }
    let mut copy = bound("token", mysql("staging", "db:3306", "uuid-1", "2"));
    copy.served_by = noted.encode();
    assert_eq!(copy.noted(), None);
    copy.place = place;
    assert_eq!(copy.noted(), Some(noted));
}

#[test]
fn a_redis_that_was_left_behind_is_refused() {
    let place = mysql("users", "db:3306", "", "1");
    let mine = bound("token", place.clone());
    let empty = Found::default();
    let elsewhere = Verdict::Elsewhere(String::new());
    assert_eq!(judge(&mine, &empty, Kinship::Other, false), elsewhere);
    assert_eq!(
        judge(&mine, &empty, Kinship::Restarted, false),
        Verdict::Takes
    );
    // A Redis with the token has the data, whatever its address is now.
    let there = found("token", &place);
    assert_eq!(judge(&mine, &there, Kinship::Other, false), Verdict::Holds);
    let left = found("before", &place);
    assert_eq!(judge(&mine, &left, Kinship::Other, false), elsewhere);
}

#[test]
fn data_in_another_number_of_shards_is_refused() {
    let place = mysql("users", "db:3306", "", "1");
    let mine = Bound {
        shards: 3,
        ..bound("token", place.clone())
    };
    let resharded = Verdict::Resharded {
        in_use: 1,
        stated: 3,
    };
    for is_running in [false, true] {
        let judged = judge(&mine, &found("token", &place), Kinship::Same, is_running);
        assert_eq!(judged, resharded);
    }
    // The number is compared also after a move that was cut short.
    let judged = judge(&mine, &found("before", &place), Kinship::Same, false);
    assert_eq!(judged, resharded);
    let words = in_words(&resharded, &place, "program");
    assert!(words.contains("set it back to 1"), "{words}");
    // The binding contains the number.
    let binding = Binding::parse(&mine.binding()).unwrap();
    assert_eq!(binding.shards, Some(3));
}

#[test]
fn what_an_older_version_left_in_redis_has_to_be_drained() {
    let place = mysql("users", "db:3306", "", "1");
    let mine = bound("token", place.clone());
    let mut there = found("token", &place);
    there.stored = Binding {
        token: "token".to_owned(),
        shards: None,
        is_packed: false,
        place: place.clone(),
    }
    .to_string();
    assert_eq!(judge(&mine, &there, Kinship::Same, false), Verdict::Binds);
    there.left = 2;
    let undrained = Verdict::Undrained(2);
    assert_eq!(judge(&mine, &there, Kinship::Same, false), undrained);
    let words = in_words(&undrained, &place, "program");
    assert!(words.contains("2 acknowledged writes"), "{words}");
    // Live processes of the older version may still append.
    there.others = vec![place.clone()];
    for left in [0, 2] {
        there.left = left;
        let judged = judge(&mine, &there, Kinship::Same, true);
        assert_eq!(judged, Verdict::ServedByOlder);
    }
    // The binding of an older version was removed.
    let unbound = Found {
        left: 2,
        ..Found::default()
    };
    assert_eq!(judge(&mine, &unbound, Kinship::Same, false), undrained);
    assert_eq!(judge(&mine, &unbound, Kinship::Unnoted, false), undrained);
}

/// This version reads bodies in the older form. No live process may take the present form for the
/// older one.
#[test]
fn older_bodies_are_taken_over_when_no_older_process_is_alive() {
    let place = mysql("users", "db:3306", "", "1");
    let mine = bound("token", place.clone());
    let mut there = found("token", &place);
    there.stored = Binding {
        token: "token".to_owned(),
        shards: Some(1),
        is_packed: false,
        place: place.clone(),
    }
    .to_string();
    for waiting in [0, 2] {
        there.waiting = waiting;
        assert_eq!(judge(&mine, &there, Kinship::Same, false), Verdict::Binds);
    }
    there.others = vec![place.clone()];
    let judged = judge(&mine, &there, Kinship::Same, false);
    assert_eq!(judged, Verdict::ServedByOlder);
    // The binding of a later form is another token.
    there.others.clear();
    there.stored = mine.binding().replace("token+1/", "token+2/");
    assert_eq!(
        judge(&mine, &there, Kinship::Same, false),
        Verdict::Rebound(place)
    );
}

/// An older version compares its token with the text up to the first space, or up to the number of
/// shards.
#[test]
fn an_older_version_takes_the_binding_for_another_token() {
    let mine = bound("token", mysql("users", "db:3306", "", "1"));
    let binding = mine.binding();
    let (name, place) = binding.split_once(' ').unwrap();
    let (token, _) = name.split_once('/').unwrap();
    for token in [name, token] {
        assert!(token != mine.token && token != mine.previous);
    }
    assert_eq!(Place::parse(place), Some(mine.place));
}
