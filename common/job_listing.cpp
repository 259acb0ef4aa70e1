#include "common/job_listing.hpp"

#include "common/bytes.hpp"
#include "common/described_json.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace rc {

namespace {

constexpr std::size_t shown_command = 200; // bytes

using Row = std::vector<std::string>;

void sort(std::vector<ListedJob>& jobs) {
    std::ranges::stable_sort(jobs, [](const ListedJob& a, const ListedJob& b) {
        return std::pair(b.facts.age, a.facts.job) < std::pair(a.facts.age, b.facts.job);
    });
}

// The largest unit that it fills: 59s, 59m, 23h, 7d.
std::string age_text(std::uint64_t seconds) {
    if (seconds < 60) return std::to_string(seconds) + 's';
    if (seconds < 60 * 60) return std::to_string(seconds / 60) + 'm';
    if (seconds < 24 * 60 * 60) return std::to_string(seconds / (60 * 60)) + 'h';
    return std::to_string(seconds / (24 * 60 * 60)) + 'd';
}

std::string status_text(const Listed& job) {
    if (job.reason && *job.reason != ExitReason::exited) return std::string(to_string(*job.reason));
    if (job.code) return std::to_string(*job.code);
    return job.signal ? escape(*job.signal, 64) : "-";
}

Row row_of(const ListedJob& job, bool with_key) {
    Row row{job.facts.job, std::string(to_string(job.facts.state)), age_text(job.facts.age), status_text(job.facts),
        std::to_string(job.facts.stdout_ + job.facts.stderr_), escape(job.command, shown_command)};
    if (with_key) row.insert(row.begin(), job.key);
    return row;
}

std::string layout(const std::vector<Row>& rows) {
    std::vector<std::size_t> widths(rows.front().size() - 1);
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string text;
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < widths.size(); ++i) text.append(row[i]).append(widths[i] - row[i].size() + 2, ' ');
        text.append(row.back()).append(1, '\n');
    }
    return text;
}

} // namespace

std::string table_of(std::vector<ListedJob> jobs) {
    sort(jobs);
    const bool keys = std::ranges::any_of(jobs, [](const ListedJob& job) { return !job.key.empty(); });
    std::vector<Row> rows{{"JOB", "STATE", "AGE", "STATUS", "BYTES", "COMMAND"}};
    if (keys) rows.front().insert(rows.front().begin(), "KEY");
    for (const ListedJob& job : jobs) rows.push_back(row_of(job, keys));
    return layout(rows);
}

std::string json_of(std::vector<ListedJob> jobs) {
    sort(jobs);
    std::string text;
    for (const ListedJob& job : jobs) {
        boost::json::object object;
        if (!job.key.empty()) object.emplace("key", job.key);
        append_fields(job.facts, object);
        if (is_utf8(job.command)) object.emplace("command", job.command);
        else object.emplace("command_base64", to_base64(as_bytes(job.command)));
        text += boost::json::serialize(object) + '\n';
    }
    return text;
}

} // namespace rc
