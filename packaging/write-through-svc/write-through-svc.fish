# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_write_through_svc_global_optspecs
    string join \n config= h/help V/version
end

function __fish_write_through_svc_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_write_through_svc_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_write_through_svc_using_subcommand
    set -l cmd (__fish_write_through_svc_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c write-through-svc -n "__fish_write_through_svc_needs_command" -l config -d 'A TOML file with settings, under the environment\'s [env: CONFIG_FILE]' -r -F
complete -c write-through-svc -n "__fish_write_through_svc_needs_command" -s h -l help -d 'Print help'
complete -c write-through-svc -n "__fish_write_through_svc_needs_command" -s V -l version -d 'Print version'
complete -c write-through-svc -n "__fish_write_through_svc_needs_command" -f -a "migrate" -d 'Bring the database and its tables up to date, then exit. A `users` table of the classic demos is adopted, however large'
complete -c write-through-svc -n "__fish_write_through_svc_needs_command" -f -a "identity" -d 'Show or change which database Redis and the journal belong to, after it was copied, moved or restored'
complete -c write-through-svc -n "__fish_write_through_svc_needs_command" -f -a "release" -d 'Let the other service bypass the cache again, after the last process of this one has stopped and its journal is empty. Stop all services first'
complete -c write-through-svc -n "__fish_write_through_svc_needs_command" -f -a "inspect" -d 'Print what cache, journal, dead letters and database hold of one name, and which value a reader gets. Only reads, also while services run. Exit code 1 when a part could not be read'
complete -c write-through-svc -n "__fish_write_through_svc_needs_command" -f -a "token" -d 'Make a token for a client, and print it with its line for AUTH_TOKENS_FILE. Changes no file and needs no setting'
complete -c write-through-svc -n "__fish_write_through_svc_needs_command" -f -a "import" -d 'Write the users of a CSV or NDJSON file. Without --to, this process does it itself, on cache, journal and database of the settings. Exit code 2 when lines were refused, 1 when it ended early'
complete -c write-through-svc -n "__fish_write_through_svc_needs_command" -f -a "export" -d 'Write all users of the database to a CSV or NDJSON file, or to standard output'
complete -c write-through-svc -n "__fish_write_through_svc_needs_command" -f -a "healthcheck" -d 'Ask the service that runs here whether it lives: exit code 0 if so, else 1. Needs no setting but LISTEN'
complete -c write-through-svc -n "__fish_write_through_svc_needs_command" -f -a "journal" -d 'Show the files of the file journal, or copy what is whole of a damaged one'
complete -c write-through-svc -n "__fish_write_through_svc_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand migrate" -l adopt -d 'Which row of each name stays. The others, and rows that break the rules, are moved to the table users_set_aside. Without this, such rows end `migrate` with exit code 64' -r -f -a "newest\t'The one with the largest id'"
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand migrate" -l dry-run -d 'Say what would be done and change nothing'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand migrate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand identity; and not __fish_seen_subcommand_from show new move help" -s h -l help -d 'Print help'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand identity; and not __fish_seen_subcommand_from show new move help" -f -a "show" -d 'Print the identity, and whether this Redis belongs to this database'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand identity; and not __fish_seen_subcommand_from show new move help" -f -a "new" -d 'Give this database an identity of its own: for a copy that is to run beside the original. Changes nothing in Redis'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand identity; and not __fish_seen_subcommand_from show new move help" -f -a "move" -d 'Hand Redis and journal to this database: for one that was moved or restored. Forgets what is cached; what waits in the journal is then drained into this database. Stop all services first'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand identity; and not __fish_seen_subcommand_from show new move help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand identity; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand identity; and __fish_seen_subcommand_from new" -s h -l help -d 'Print help'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand identity; and __fish_seen_subcommand_from move" -s h -l help -d 'Print help'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand identity; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print the identity, and whether this Redis belongs to this database'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand identity; and __fish_seen_subcommand_from help" -f -a "new" -d 'Give this database an identity of its own: for a copy that is to run beside the original. Changes nothing in Redis'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand identity; and __fish_seen_subcommand_from help" -f -a "move" -d 'Hand Redis and journal to this database: for one that was moved or restored. Forgets what is cached; what waits in the journal is then drained into this database. Stop all services first'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand identity; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand release" -s h -l help -d 'Print help'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand inspect" -l json -d 'Print JSON'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand token" -s h -l help -d 'Print help'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand import" -l format -d 'Its form, where the extension .csv, .ndjson or .jsonl does not say it' -r -f -a "csv\t'Comma-separated values; the first line names the columns'
ndjson\t'A JSON object a line'"
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand import" -l errors -d 'Write every refused line to this file, as a batch answers it' -r -F
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand import" -l skip -d 'Leave out the lines up to this one' -r
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand import" -l to -d 'Send the users to the service that runs at this URL, such as http://localhost:8081' -r
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand import" -l token-file -d 'With --to: send the token in this file, which has one line' -r -F
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand import" -l ca-file -d 'With --to: trust the CA certificates in this file (PEM), not those of the system' -r -F
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand import" -l no-wait -d 'End when the journal has all, rather than the database (write-behind)'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand export" -l format -d 'Its form, where the extension .csv, .ndjson or .jsonl does not say it' -r -f -a "csv\t'Comma-separated values; the first line names the columns'
ndjson\t'A JSON object a line'"
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand healthcheck" -l ready -d 'Ask whether it can serve: /readyz rather than /healthz'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand healthcheck" -s h -l help -d 'Print help'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand journal; and not __fish_seen_subcommand_from show salvage help" -s h -l help -d 'Print help'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand journal; and not __fish_seen_subcommand_from show salvage help" -f -a "show" -d 'List its files with offsets, counts, versions and damage, and whether a start takes it. Only reads, also while a service runs'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand journal; and not __fish_seen_subcommand_from show salvage help" -f -a "salvage" -d 'Copy all that is whole to a new journal that a start takes, and list what was left out. The original stays as it is. Stop the service first'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand journal; and not __fish_seen_subcommand_from show salvage help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand journal; and __fish_seen_subcommand_from show" -l frames -d 'A line for each batch as well'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand journal; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand journal; and __fish_seen_subcommand_from salvage" -l to -d 'The folder of the new journal, which is not there yet' -r -F
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand journal; and __fish_seen_subcommand_from salvage" -s h -l help -d 'Print help'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand journal; and __fish_seen_subcommand_from help" -f -a "show" -d 'List its files with offsets, counts, versions and damage, and whether a start takes it. Only reads, also while a service runs'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand journal; and __fish_seen_subcommand_from help" -f -a "salvage" -d 'Copy all that is whole to a new journal that a start takes, and list what was left out. The original stays as it is. Stop the service first'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand journal; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and not __fish_seen_subcommand_from migrate identity release inspect token import export healthcheck journal help" -f -a "migrate" -d 'Bring the database and its tables up to date, then exit. A `users` table of the classic demos is adopted, however large'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and not __fish_seen_subcommand_from migrate identity release inspect token import export healthcheck journal help" -f -a "identity" -d 'Show or change which database Redis and the journal belong to, after it was copied, moved or restored'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and not __fish_seen_subcommand_from migrate identity release inspect token import export healthcheck journal help" -f -a "release" -d 'Let the other service bypass the cache again, after the last process of this one has stopped and its journal is empty. Stop all services first'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and not __fish_seen_subcommand_from migrate identity release inspect token import export healthcheck journal help" -f -a "inspect" -d 'Print what cache, journal, dead letters and database hold of one name, and which value a reader gets. Only reads, also while services run. Exit code 1 when a part could not be read'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and not __fish_seen_subcommand_from migrate identity release inspect token import export healthcheck journal help" -f -a "token" -d 'Make a token for a client, and print it with its line for AUTH_TOKENS_FILE. Changes no file and needs no setting'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and not __fish_seen_subcommand_from migrate identity release inspect token import export healthcheck journal help" -f -a "import" -d 'Write the users of a CSV or NDJSON file. Without --to, this process does it itself, on cache, journal and database of the settings. Exit code 2 when lines were refused, 1 when it ended early'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and not __fish_seen_subcommand_from migrate identity release inspect token import export healthcheck journal help" -f -a "export" -d 'Write all users of the database to a CSV or NDJSON file, or to standard output'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and not __fish_seen_subcommand_from migrate identity release inspect token import export healthcheck journal help" -f -a "healthcheck" -d 'Ask the service that runs here whether it lives: exit code 0 if so, else 1. Needs no setting but LISTEN'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and not __fish_seen_subcommand_from migrate identity release inspect token import export healthcheck journal help" -f -a "journal" -d 'Show the files of the file journal, or copy what is whole of a damaged one'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and not __fish_seen_subcommand_from migrate identity release inspect token import export healthcheck journal help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and __fish_seen_subcommand_from identity" -f -a "show" -d 'Print the identity, and whether this Redis belongs to this database'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and __fish_seen_subcommand_from identity" -f -a "new" -d 'Give this database an identity of its own: for a copy that is to run beside the original. Changes nothing in Redis'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and __fish_seen_subcommand_from identity" -f -a "move" -d 'Hand Redis and journal to this database: for one that was moved or restored. Forgets what is cached; what waits in the journal is then drained into this database. Stop all services first'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and __fish_seen_subcommand_from journal" -f -a "show" -d 'List its files with offsets, counts, versions and damage, and whether a start takes it. Only reads, also while a service runs'
complete -c write-through-svc -n "__fish_write_through_svc_using_subcommand help; and __fish_seen_subcommand_from journal" -f -a "salvage" -d 'Copy all that is whole to a new journal that a start takes, and list what was left out. The original stays as it is. Stop the service first'
