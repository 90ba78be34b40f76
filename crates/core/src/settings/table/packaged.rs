//! The files of the packages that are made from the code: settings, manual page, completions.
//!
//! `UPDATE_DOCUMENTS=1 cargo test -p cache-core --lib settings::table::packaged` writes them.

mod manual;

use clap_complete::Shell;
use testkit::generated_page::expect_current_file;

use super::{Setting, TABLE, secret_file};
use crate::settings::{Service, load, parser};

const UPDATE: &str = "UPDATE_DOCUMENTS=1 cargo test -p cache-core --lib settings::table::packaged";
const SERVICES: [Service; 2] = [Service::WriteThrough, Service::WriteBehind];
const LINE_MAX: usize = 78;

/// What the packages set: the defaults are relative to the folder that a process starts in, and an
/// operator's `inspect` starts elsewhere than the service.
const PACKAGED: &[(&str, &str, &str)] = &[
    ("DATABASE_URL", "sqlite:///var/lib/{service}/users.db", ""),
    (
        "JOURNAL_URL",
        "file:/var/lib/{service}/journal",
        "Take this line out when cache_url names a Redis: the journal is in that Redis then.",
    ),
];

/// The settings file of a package: all settings, as comments where they have their defaults.
fn toml_file(service: Service) -> String {
    let (binary, name) = (service.binary(), service.name());
    let mut text = format!(
        "# Settings of {binary}: {binary}(8), or {binary} --help.\n\
         #\n\
         # A setting that is a comment has its default, which the comment shows. The\n\
         # environment goes over this file. After a change:\n\
         #\n\
         #     systemctl restart {binary}\n\
         #\n\
         # URLs may hold passwords, so only root and the group _{name} read this file.\n"
    );
    for setting in TABLE.iter().filter(|setting| setting.is_for(service)) {
        text += "\n";
        text += &entry(setting, service);
    }
    text
}

fn entry(setting: &Setting, service: Service) -> String {
    let key = setting.key.to_lowercase();
    let mut text = comment(setting.help);
    if setting.is_secret {
        let file = secret_file::file_key(setting.key).to_lowercase();
        text += &comment(&format!(
            "Or {file}: the path of a file that has the value."
        ));
    }
    let packaged = PACKAGED.iter().find(|(key, ..)| *key == setting.key);
    let default = value(&setting.default_for(service));
    match packaged {
        None => text + &format!("#{key} = {default}\n"),
        Some((_, set, why)) => {
            let set = value(&set.replace("{service}", service.name()));
            text + &comment(why) + &format!("#{key} = {default}\n{key} = {set}\n")
        }
    }
}

/// A number as it is, anything else as a string.
fn value(text: &str) -> String {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match is_number {
        true => text.to_owned(),
        false => format!("\"{text}\""),
    }
}

/// The text in lines of a comment.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > LINE_MAX {
            lines += &format!("{line}\n");
            line.clear();
        }
        line += if line.is_empty() { "# " } else { " " };
        line += word;
    }
    match line.is_empty() {
        true => lines,
        false => lines + &line + "\n",
    }
}

/// The parser of the binary, whose version names no commit.
fn command(service: Service) -> clap::Command {
    let manifest = format!("crates/{}/Cargo.toml", service.binary());
    let manifest = testkit::generated_page::read(&manifest);
    let about = manifest
        .lines()
        .find_map(|line| line.strip_prefix("description = "));
    let about = about.unwrap().trim_matches('"');
    let version = env!("CARGO_PKG_VERSION").to_owned();
    parser(service, version, about.to_owned())
}

fn completions(service: Service, shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(service), service.binary(), &mut script);
    String::from_utf8(script).unwrap()
}

#[test]
fn the_packages_have_the_settings_as_they_are() {
    for service in SERVICES {
        let file = format!("packaging/{}/{}.toml", service.binary(), service.name());
        expect_current_file(&file, &toml_file(service), UPDATE);
    }
}

#[test]
fn the_packages_have_the_command_line_as_it_is() {
    for service in SERVICES {
        let binary = service.binary();
        let folder = format!("packaging/{binary}");
        let manual = manual::page(service, command(service));
        expect_current_file(&format!("{folder}/{binary}.8"), &manual, UPDATE);
        for (shell, file) in [
            (Shell::Bash, format!("{binary}.bash")),
            (Shell::Fish, format!("{binary}.fish")),
            (Shell::Zsh, format!("_{binary}")),
        ] {
            let script = completions(service, shell);
            expect_current_file(&format!("{folder}/{file}"), &script, UPDATE);
        }
    }
}

#[test]
fn commented_settings_are_the_defaults() {
    for service in SERVICES {
        let text = toml_file(service);
        let lines = text.lines();
        let (set, commented): (Vec<&str>, Vec<&str>) = lines
            .filter(|line| line.contains(" = ") && !line.starts_with("# "))
            .partition(|line| !line.starts_with('#'));
        let defaults: Vec<&str> = commented.iter().map(|line| &line[1..]).collect();
        let count = TABLE.iter().filter(|setting| setting.is_for(service));
        assert_eq!(defaults.len(), count.count());
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: String| {
            std::fs::write(file.path(), text).unwrap();
            format!("{:?}", load(service, Some(file.path()), |_| None).unwrap())
        };
        assert_eq!(read(defaults.join("\n")), read(String::new()));
        let packaged = read(set.join("\n"));
        assert!(packaged.contains("/var/lib/"), "{packaged}");
    }
}
