#include "server/program_search.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace rc {

namespace {

constexpr std::size_t most_places = 256;

// There may be one elsewhere.
bool goes_on(int problem) {
    switch (problem) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case ELOOP:
    case ENAMETOOLONG:
    case ESTALE:
    case ENODEV:
    case ETIMEDOUT: return true;
    default: return false;
    }
}

} // namespace

std::vector<std::string> places_of(const std::string& name, std::string_view path) {
    if (name.find('/') != std::string::npos) return {name};
    std::vector<std::string> places;
    if (name.empty() || name.size() > NAME_MAX) return places;
    while (!path.empty() && places.size() < most_places) {
        const std::string_view directory = path.substr(0, path.find(':'));
        if (directory.starts_with('/')) places.emplace_back(directory).append(1, '/').append(name);
        path.remove_prefix(std::min(directory.size() + 1, path.size()));
    }
    return places;
}

int execute_first(const std::vector<std::string>& places, char* const* arguments, char* const* environment) {
    int problem = ENOENT;
    for (const std::string& place : places) {
        ::execve(place.c_str(), arguments, environment);
        if (!goes_on(errno) || places.size() == 1) return errno;
        if (errno == EACCES) problem = EACCES;
    }
    return problem;
}

std::string why_not_executed(std::string_view name, int problem) {
    const bool searched = name.find('/') == std::string_view::npos;
    return searched && (problem == ENOENT || problem == ENOTDIR) ? "command not found" : std::strerror(problem);
}

} // namespace rc
