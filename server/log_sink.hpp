// Where the lines of the log go: a descriptor, each line with one write, so that several processes can share a file.
#pragma once

#include "common/descriptor.hpp"
#include "server/log_format.hpp"

#include <spdlog/sinks/base_sink.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

namespace rc {

// Never throws once it is there. What cannot be written, as on a full disk, is lost; the next line that can be is preceded by an event
// that says how many were.
class LogSink : public spdlog::sinks::base_sink<std::mutex> {
public:
    // `file` empty: stderr. Throws Error{internal} if it cannot be opened.
    LogSink(std::filesystem::path file, LogFormat format);

    // Opens the file anew, which is made if it is missing. Throws Error{internal} if it cannot be; then the former one stays.
    void reopen();

protected:
    void sink_it_(const spdlog::details::log_msg& message) override;
    void flush_() override {}

private:
    void follow();
    void write(const spdlog::details::log_msg& message);
    void report_lost();

    std::filesystem::path file_;
    LogFormat format_;
    Descriptor descriptor_;  // not open: stderr
    std::uint64_t lost_ = 0; // lines, since the last that was written
    bool torn_ = false;      // the last one was written in part
};

} // namespace rc
