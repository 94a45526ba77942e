// A small FTP client: a control connection that says what it is told, plain or by TLS, and passive data
// connections. Everything that comes is a stranger's: lines and data are capped, and nothing waits for ever.
#pragma once

#include "lib/base/fd.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>

struct ssl_st; // OpenSSL's
struct ssl_ctx_st;

namespace gate::ctl {

// A connection, with or without TLS. Errors throw Problem (unavailable).
class FtpStream {
  public:
    explicit FtpStream(Fd fd) : fd_(std::move(fd)) {}
    // `host`: the name in the certificate; empty: whatever it says. `resumed`: a connection whose session is
    // gone on with, as servers may ask for.
    void start_tls(ssl_ctx_st* context, const std::string& host, const FtpStream* resumed);
    [[nodiscard]] bool encrypted() const { return ssl_ != nullptr; }
    void send(std::string_view bytes);
    // What has come, at most k_block; empty: the end.
    [[nodiscard]] std::string receive();
    void close();
    [[nodiscard]] int fd() const { return fd_.get(); }

  private:
    struct Free {
        void operator()(ssl_st* ssl) const noexcept;
    };
    Fd fd_;
    std::unique_ptr<ssl_st, Free> ssl_; // goes first
};

class FtpClient {
  public:
    struct Server {
        std::string host;
        int port = 21;
        std::string ca{}; // empty: whom this machine believes
        bool any_certificate = false;
    };
    // Connects and reads the greeting.
    explicit FtpClient(const Server& server);
    ~FtpClient();
    FtpClient(const FtpClient&) = delete;
    FtpClient& operator=(const FtpClient&) = delete;

    // The answer, all of its lines; its first three bytes are the code.
    [[nodiscard]] std::string command(std::string_view line);
    // AUTH TLS; false: the server has none.
    [[nodiscard]] bool start_tls();
    // A command with a data connection, on which `content` is sent, or what comes is kept. The last answer.
    struct Transfer {
        std::string answer{};
        std::string came{};
    };
    [[nodiscard]] Transfer transfer(std::string_view line, std::optional<std::string_view> content = {});

  private:
    [[nodiscard]] std::string answer();
    [[nodiscard]] Fd passive();

    const Server server_;
    struct FreeContext {
        void operator()(ssl_ctx_st* context) const noexcept;
    };
    std::unique_ptr<ssl_ctx_st, FreeContext> context_;
    FtpStream control_;
    std::string buffer_;
};

// "2": did the server say yes?
[[nodiscard]] inline bool says_yes(std::string_view answer) {
    return answer.starts_with('2');
}

} // namespace gate::ctl
