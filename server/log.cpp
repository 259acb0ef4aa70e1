#include "server/log.hpp"

#include "common/error.hpp"
#include "server/log_sink.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/spdlog.h>

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace rc {

namespace {

// What open_log() has opened, for all threads.
struct Opened {
    std::filesystem::path file;
    LogFormat format = LogFormat::text;
    std::shared_ptr<LogSink> sink;
};

Opened opened;

// As sd-daemon(3) has it. What it says of stderr need not hold any more when this process sees it.
bool stderr_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
    return stream == std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino);
}

// The level as in syslog(3).
class JournalLevel : public spdlog::custom_flag_formatter {
public:
    void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
        switch (message.level) {
        case spdlog::level::debug: out.push_back('7'); break;
        case spdlog::level::info: out.push_back('6'); break;
        case spdlog::level::warn: out.push_back('4'); break;
        default: out.push_back('3'); break;
        }
    }
    [[nodiscard]] std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
        return std::make_unique<JournalLevel>();
    }
};

// As spdlog takes it; time is as in RFC 3339, with milliseconds, and %v what log_line() makes.
const char* pattern_of(LogFormat format, bool journal) {
    if (format == LogFormat::json && journal) return R"(<%*>{"level":"%l",%v)";
    if (format == LogFormat::json) return R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v)";
    return journal ? "<%*>%v" : "%Y-%m-%dT%H:%M:%S.%e%z %l %v";
}

void write(spdlog::level::level_enum level, std::string_view event, LogFields fields) {
    if (spdlog::should_log(level)) spdlog::log(level, "{}", log_line(opened.format, event, fields));
}

} // namespace

void open_log(const LogOptions& options) {
    opened = {options.file, log_format(options.format), nullptr};
    opened.sink = std::make_shared<LogSink>(options.file, opened.format);
    const auto logger = std::make_shared<spdlog::logger>("rcmd-server", opened.sink);
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<JournalLevel>('*').set_pattern(pattern_of(opened.format, options.file.empty() && stderr_is_journal()));
    logger->set_formatter(std::move(formatter));
    logger->set_level(spdlog::level::from_str(options.level));
    spdlog::set_default_logger(logger);
}

void reopen_log() {
    if (opened.file.empty()) return;
    try {
        opened.sink->reopen();
        log_event("log_reopened", {{"file", opened.file.string()}});
    } catch (const Error& error) {
        log_warning("log_not_reopened", {{"file", opened.file.string()}, {"problem", error.what()}});
    }
}

void log_event(std::string_view event, LogFields fields) { write(spdlog::level::info, event, fields); }
void log_warning(std::string_view event, LogFields fields) { write(spdlog::level::warn, event, fields); }
void log_debug(std::string_view event, LogFields fields) { write(spdlog::level::debug, event, fields); }

std::string seconds_text(std::uint64_t microseconds) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3f", static_cast<double>(microseconds) / 1e6);
    return text.data();
}

} // namespace rc
