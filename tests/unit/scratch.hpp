// A folder of a test's own, gone with all that is in it when the test ends.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <sys/stat.h>

namespace rc {

class Scratch {
public:
    Scratch() {
        std::string name = std::filesystem::temp_directory_path() / "rcmd-unit-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder: " + name);
        path_ = name;
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

    // Makes a file with exactly that mode.
    std::filesystem::path file(const std::string& name, const std::string& content, mode_t mode = 0600) const {
        const auto file = path_ / name;
        std::ofstream(file, std::ios::binary) << content;
        if (::chmod(file.c_str(), mode) != 0) throw std::runtime_error("chmod: " + file.string());
        return file;
    }

private:
    std::filesystem::path path_;
};

inline std::string content_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// The permission bits; 0 if there is no such file.
inline mode_t mode_of(const std::filesystem::path& file) {
    struct stat status {};
    return ::lstat(file.c_str(), &status) == 0 ? status.st_mode & 07777U : 0U;
}

} // namespace rc
