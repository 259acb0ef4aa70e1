#include "server/log.hpp"

#include "common/bytes.hpp"
#include "common/error.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>
#include <memory>

namespace rc {

namespace {

constexpr std::size_t longest_value = 1024;

std::string quote(std::string_view value) {
    std::string safe = escape(value, longest_value);
    if (!safe.empty() && safe.find_first_of(" \"=") == std::string::npos) return safe;
    std::string quoted = "\"";
    for (const char c : safe) {
        if (c == '"') quoted += '\\';
        quoted += c;
    }
    return quoted += '"';
}

} // namespace

void open_log(const std::filesystem::path& file, const std::string& level) {
    spdlog::sink_ptr sink;
    try {
        if (file.empty()) sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        else sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string());
    } catch (const spdlog::spdlog_ex& error) {
        throw Error(ErrorCode::internal, std::string("the log file cannot be opened: ") + error.what());
    }
    const auto logger = std::make_shared<spdlog::logger>("rcmd-server", std::move(sink));
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    logger->set_level(spdlog::level::from_str(level));
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(logger);
}

void log_event(std::string_view event, LogFields fields) { spdlog::info("{}", log_line(event, fields)); }
void log_warning(std::string_view event, LogFields fields) { spdlog::warn("{}", log_line(event, fields)); }

void log_debug(std::string_view event, LogFields fields) {
    if (spdlog::should_log(spdlog::level::debug)) spdlog::debug("{}", log_line(event, fields));
}

std::string seconds_text(std::uint64_t microseconds) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3f", static_cast<double>(microseconds) / 1e6);
    return text.data();
}

std::string log_line(std::string_view event, LogFields fields) {
    std::string line(event);
    for (const auto& [name, value] : fields) {
        line += ' ';
        line += name;
        line += '=';
        line += quote(value);
    }
    return line;
}

} // namespace rc
