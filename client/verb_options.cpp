#include "client/failure.hpp"
#include "client/option_parser.hpp"
#include "client/target.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace rc {

namespace {

void add_watch_options(CLI::App& app, ClientOptions& options, Settings& given) {
    app.add_option_function<std::string>(
           "--from",
           [&](const std::string& text) {
               const std::size_t comma = text.find(',');
               options.watch.stdout_ = parse_offset(text.substr(0, comma));
               if (comma != text.npos) options.watch.stderr_ = parse_offset(text.substr(comma + 1));
               const bool right = options.watch.stdout_ && (comma == text.npos || options.watch.stderr_);
               if (!right) refuse_words("--from " + text + ": not an OFFSET or OFFSET,OFFSET");
           },
           "Begin at that byte of stdout (and of stderr), counted from 0")
        ->type_name("OFFSET[,OFFSET]");
    app.add_flag("--tail", options.watch.tail, "Begin with what comes from now on")->excludes("--from");
    add_status_fd_option(app, options);
    add_keep_option(app, given, "How long to try to get back when the connection is lost (60s); 0: not at all");
}

} // namespace

std::optional<int> parse_verb_options(Verb verb, std::vector<std::string> words, ClientOptions& options) {
    static const std::map<Verb, std::pair<std::string, std::string>> descriptions{
        {Verb::jobs, {"rcmd jobs", "rcmd jobs [options] [USER@]HOST[:PORT]: the jobs of this key that the server knows"}},
        {Verb::attach, {"rcmd attach", "rcmd attach [options] [USER@]HOST[:PORT] JOB: shows a job's output and exits with its "
                                       "status; ended by a signal, it "
                                       "leaves the job alone. DURATION: 90, 90s, 5m, 8h, 2d."}},
        {Verb::kill, {"rcmd kill", "rcmd kill [options] [USER@]HOST[:PORT] JOB: sends a signal to a job's process group"}}};
    const auto& [name, description] = descriptions.at(verb);
    CLI::App app(description, name);
    std::string host;
    ConnectionOptions connection(app, options);
    if (verb == Verb::jobs) app.add_flag("--json", options.json, "Print a JSON object for each job, a line each");
    if (verb == Verb::attach) add_watch_options(app, options, connection.given);
    if (verb == Verb::kill)
        app.add_option("-s,--signal", options.signal, "TERM, INT, KILL ..., or its number (TERM)")->type_name("SIGNAL");
    app.add_option("HOST", host, "[USER@]HOST[:PORT]")->required();
    if (verb != Verb::jobs)
        app.add_option_function<std::string>(
               "JOB", [&](const std::string& id) { set_job(options, id); }, "Its id, or its name")
            ->required();
    follow_getopt(app);
    set_help_format(app);
    std::ranges::reverse(words);
    if (const auto status = run_parser(app, [&] { app.parse(words); })) return status;
    connection.resolve(host);
    check_status_fd(options);
    const auto signal = parse_signal(options.signal);
    if (!signal) refuse_words("--signal " + options.signal.substr(0, 64) + ": no such signal");
    options.signal = *signal;
    return std::nullopt;
}

std::optional<int> parse_copy_options(std::vector<std::string> words, CopyOptions& options) {
    CLI::App app("rcmd cp [options] SOURCE... TARGET: copies files; either side may be [USER@]HOST:PATH (IPv6: [ADDR]:PATH), and "
                 "a path with a "
                 "colon behind a slash is here. DURATION: 90, 90s, 5m, 8h, 2d.",
        "rcmd cp");
    app.footer("A repeated copy of the same source goes on with what a broken one left. Exit status: 0 all is copied; 1 some of "
               "it is not; "
               "255 rcmd itself failed.");
    ClientOptions remote;
    Words places;
    ConnectionOptions connection(app, remote, ConnectionOptions::PortLetter::capital);
    app.add_flag("-r,--recursive", options.recursive, "Directories too, with all that is in them; links stay links");
    app.add_flag("-p,--preserve", options.preserve, "Keep modes and times");
    add_keep_option(app, connection.given, "How long to try to get back when the connection is lost (60s); 0: not at all");
    app.add_option("SOURCE... TARGET", places, "What, and where to");
    follow_getopt(app);
    set_help_format(app);
    app.get_option("SOURCE... TARGET")->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    std::ranges::reverse(words);
    if (const auto status = run_parser(app, [&] { app.parse(words); })) return status;
    if (places.size() < 2) refuse_words("cp needs a source and a target");
    options.quiet = remote.quiet;
    options.into_folder = places.size() > 2;

    const auto resolve = [&](const std::string& host) -> std::optional<ClientOptions> {
        if (host.empty()) return std::nullopt;
        connection.resolve(host);
        return remote;
    };
    const Place target = parse_place(places.back());
    places.pop_back();
    std::optional<std::string> last; // the host of the step under way
    for (const std::string& word : places) {
        const Place source = parse_place(word);
        if (source.host.empty() && target.host.empty()) refuse_words(word + ": neither this nor the target is HOST:PATH; use cp");
        if (source.host != last) options.steps.push_back({resolve(source.host), {}, resolve(target.host), target.path});
        last = source.host;
        options.steps.back().sources.push_back(source.path);
    }
    return std::nullopt;
}

std::optional<int> parse_keygen_options(std::vector<std::string> words, KeygenOptions& options) {
    CLI::App app("rcmd keygen: makes a key and prints its line for the authorized_keys of a server", "rcmd keygen");
    app.add_flag("--line", options.line, "Make nothing; print a further line of the existing key, for another host");
    app.add_option("-f,--file", options.key_file, "Key file (~/.config/rcmd/key)")->type_name("FILE");
    app.add_option("--id", options.id, "Name of the key (user@host)")->type_name("ID");
    follow_getopt(app);
    set_help_format(app);
    std::ranges::reverse(words);
    if (const auto status = run_parser(app, [&] { app.parse(words); })) return status;
    if (options.line && !options.id.empty()) refuse_words("--id names a new key; the one of --line has its name");
    if (options.key_file.empty()) options.key_file = default_key_file();
    return std::nullopt;
}

} // namespace rc
