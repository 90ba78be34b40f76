//! The manual page of a service: one page, with its subcommands and settings.

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::super::{TABLE, secret_file};
use crate::settings::{EXIT_BAD_SETTINGS, Service};

pub(super) fn page(service: Service, command: Command) -> String {
    // Its list of settings is a section of its own here.
    let command = command.after_help("").disable_help_subcommand(true);
    let manual = Man::new(command.clone()).section("8").manual("write-cache");
    let mut page = Vec::new();
    for render in [
        Man::render_title,
        Man::render_name_section,
        Man::render_synopsis_section,
        Man::render_description_section,
        Man::render_options_section,
    ] {
        render(&manual, &mut page).unwrap();
    }
    let mut sections = Roff::new();
    sections.control("SH", ["COMMANDS"]);
    sections.text([roman(
        "Each takes the same settings as the service. Without a command it serves.",
    )]);
    subcommands(&mut sections, &command, "");
    settings(&mut sections, service);
    files(&mut sections, service);
    exit_status(&mut sections);
    sections.to_writer(&mut page).unwrap();
    String::from_utf8(page).unwrap()
}

fn subcommands(page: &mut Roff, command: &Command, path: &str) {
    let shown = command.get_subcommands().filter(|one| !one.is_hide_set());
    for subcommand in shown {
        let path = format!("{path} {}", subcommand.get_name());
        if subcommand.has_subcommands() {
            subcommands(page, subcommand, &path);
            continue;
        }
        let arguments: Vec<&Arg> = subcommand.get_arguments().collect();
        let mut title = vec![bold(path.trim_start())];
        for argument in &arguments {
            let optional = !argument.is_required_set();
            title.push(roman(if optional { " [" } else { " " }));
            title.extend(usage(argument));
            title.extend(optional.then(|| roman("]")));
        }
        item(page, title, &about(subcommand.get_about()));
        page.control("RS", []);
        for argument in arguments {
            let help = about(argument.get_help());
            item(page, usage(argument), &help);
        }
        page.control("RE", []);
    }
}

/// `--to FOLDER`, `NAME` or `--frames`.
fn usage(argument: &Arg) -> Vec<Inline> {
    let values = argument.get_value_names().unwrap_or_default();
    let takes_value = argument.get_action().takes_values();
    let value = values.first().filter(|_| takes_value);
    let long = argument.get_long();
    let mut parts: Vec<Inline> = Vec::new();
    parts.extend(long.map(|long| bold(format!("--{long}"))));
    if long.is_some() && value.is_some() {
        parts.push(roman(" "));
    }
    parts.extend(value.map(|value| italic(value.as_str())));
    parts
}

fn settings(page: &mut Roff, service: Service) {
    page.control("SH", ["SETTINGS"]);
    page.text([roman(
        "From the environment, under these names, or, in lower case, from the TOML file. The environment goes over the file.",
    )]);
    for setting in TABLE.iter().filter(|setting| setting.is_for(service)) {
        let default = setting.default_for(service);
        let help = match default.is_empty() || setting.default.is_empty() {
            true => setting.help.to_owned(),
            false => format!("{} [{default}]", setting.help),
        };
        item(page, vec![bold(setting.key)], &help);
        if setting.is_secret {
            let help = format!("a file that has the value of {}", setting.key);
            item(page, vec![bold(secret_file::file_key(setting.key))], &help);
        }
    }
}

fn files(page: &mut Roff, service: Service) {
    let (binary, name) = (service.binary(), service.name());
    page.control("SH", ["FILES"]);
    for (file, what) in [
        (
            format!("/etc/write-cache/{name}.toml"),
            "The settings of the Debian package's service.",
        ),
        (
            format!("/var/lib/{name}"),
            "Its data, on the embedded backends.",
        ),
    ] {
        item(page, vec![italic(file)], what);
    }
    page.control("PP", []);
    page.text([roman(
        "The service runs as a user of its own. A command that is to see what the service sees runs as that user, with its settings:",
    )]);
    page.control("RS", []);
    let command = format!(
        "runuser -u _{name} -- {binary} --config /etc/write-cache/{name}.toml inspect NAME"
    );
    page.text([bold(command)]);
    page.control("RE", []);
}

fn exit_status(page: &mut Roff) {
    page.control("SH", ["EXIT STATUS"]);
    for (code, what) in [
        (0, "Stopped by a signal, or a command that succeeded."),
        (1, "Everything else; the log has the reason."),
        (
            EXIT_BAD_SETTINGS,
            "Something to correct first: a bad setting, or a server, a table or a database that the service must not use as it is.",
        ),
    ] {
        item(page, vec![bold(code.to_string())], what);
    }
}

fn about(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

fn item(page: &mut Roff, title: Vec<Inline>, text: &str) {
    page.control("TP", []);
    page.text(title);
    page.text([roman(text)]);
}
