//! The command line as a whole: well-formed, helpful on every leaf, and closed to secrets.

use clap::{Command, CommandFactory as _, Parser as _};

use super::*;

/// Every command that does something, with its words.
fn leaves(command: &Command, words: &str, found: &mut Vec<(String, Command)>) {
    let words = format!("{words} {}", command.get_name());
    let mut below = command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
        .peekable();
    if below.peek().is_none() {
        found.push((words.trim().to_owned(), command.clone()));
        return;
    }
    for sub in below {
        leaves(sub, &words, found);
    }
}

fn all() -> Vec<(String, Command)> {
    let mut found = Vec::new();
    leaves(&Cli::command(), "", &mut found);
    found
}

#[test]
fn the_arguments_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn each_command_says_who_runs_it_what_it_needs_and_what_comes_next() {
    let all = all();
    assert!(all.len() > 30, "{}", all.len());
    for (words, command) in all {
        let about = command
            .get_long_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        for part in ["Who: ", "Needs: ", "Next: "] {
            assert!(about.contains(part), "`{words}` does not say `{part}`:\n{about}");
        }
        let first = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(
            (10..=100).contains(&first.len()) && !first.ends_with('.'),
            "`{words}`: {first}"
        );
    }
}

/// The words themselves are an interface: scripts call them. A change here is a change for them.
#[test]
fn the_commands_are_these() {
    let words: Vec<String> = all().into_iter().map(|(words, _)| words).collect();
    assert_eq!(words.join("\n"), include_str!("commands.txt").trim());
}

#[test]
fn no_argument_takes_a_secret() {
    for (words, command) in all() {
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            assert!(
                !["share", "secret", "pin", "password", "passphrase"].contains(&name),
                "{words} --{name}"
            );
        }
    }
}

#[test]
fn global_options_may_stand_anywhere() {
    assert!(Cli::try_parse_from(["officer", "status", "--json", "--vault", "https://v"]).is_ok());
    assert!(Cli::try_parse_from(["officer", "--json", "jobs", "list", "--ca", "ca.pem"]).is_ok());
}

#[test]
fn bad_arguments_are_usage() {
    for bad in [
        &["officer"][..],
        &["officer", "jobs", "show", "job_x"],
        &["officer", "rotate", "everything"],
        &["officer", "rotate", "card-kek", "--per-second", "5"],
        &["officer", "rotate", "card-kek", "--grace-hours", "5"],
        &["officer", "parties", "strike", "officer-1"],
        &["officer", "backup", "--life-days", "0"],
        &["officer", "unlock", "tessera-share-1-aaaa"],
        &["officer", "completion", "tcsh"],
    ] {
        assert_eq!(
            Cli::try_parse_from(bad).map_err(|error| error.exit_code()).err(),
            Some(2),
            "{bad:?}"
        );
    }
}
