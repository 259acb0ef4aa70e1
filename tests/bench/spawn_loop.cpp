// The most that this machine can do of what the server does for each command: `sh -c true`, started and waited for.
//
//     bench_spawn_loop COUNT WORKERS
//
// Prints how many seconds it took.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

void run_one() {
    const char* const words[] = {"sh", "-c", "true", nullptr};
    pid_t child = 0;
    int status = 0;
    const bool done = ::posix_spawn(&child, "/bin/sh", nullptr, nullptr, const_cast<char* const*>(words), environ) == 0 &&
                      ::waitpid(child, &status, 0) == child && status == 0;
    if (done) return;
    std::perror("bench_spawn_loop: sh -c true");
    std::_Exit(1);
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: bench_spawn_loop COUNT WORKERS\n", stderr);
        return 2;
    }
    std::atomic<long> left = std::strtol(argv[1], nullptr, 10);
    const auto start = std::chrono::steady_clock::now();
    {
        std::vector<std::jthread> workers(std::strtoul(argv[2], nullptr, 10));
        for (auto& worker : workers) {
            worker = std::jthread([&left] {
                while (left.fetch_sub(1) > 0) run_one();
            });
        }
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf("%.6f\n", took.count());
}
