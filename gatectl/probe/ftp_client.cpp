#include "gatectl/probe/ftp_client.h"

#include "gatectl/problem.h"
#include "lib/base/network.h"
#include "lib/base/text.h"

#include <netdb.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/time.h>

namespace gate::ctl {

namespace {

constexpr time_t k_patience_s = 15;             // for a connection and for each answer
constexpr std::size_t k_max_answer = 64 * 1024; // of a command
constexpr std::size_t k_max_data = 1024 * 1024; // of a listing: what is looked at
constexpr std::size_t k_block = 16 * 1024;

[[noreturn]] void failed(const char* what) {
    stop(Status::unavailable, "{}: {}", what, describe(fail_errno("the server").error()));
}

void bound_time(int fd) {
    const timeval patience{.tv_sec = k_patience_s, .tv_usec = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

[[nodiscard]] Fd connect_to(const std::string& host, int port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int wrong = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
        wrong != 0)
        stop(Status::unavailable, "{}: {}", escape_visible(host), ::gai_strerror(wrong));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, ::freeaddrinfo);
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        Fd fd{::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        if (!fd.valid())
            continue;
        bound_time(fd.get());
        if (::connect(fd.get(), one->ai_addr, one->ai_addrlen) == 0)
            return fd;
    }
    stop(Status::unavailable, "{} port {}: {}", escape_visible(host), port,
         describe(fail_errno("cannot connect").error()));
}

[[nodiscard]] ssl_ctx_st* make_context(const FtpClient::Server& server) {
    SSL_CTX* const context = ::SSL_CTX_new(::TLS_client_method());
    if (context == nullptr)
        stop(Status::internal, "OpenSSL has no TLS");
    ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
    if (server.any_certificate)
        return context;
    ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    const bool there = server.ca.empty()
                           ? ::SSL_CTX_set_default_verify_paths(context) == 1
                           : ::SSL_CTX_load_verify_locations(context, server.ca.c_str(), nullptr) == 1;
    if (!there)
        stop(Status::no_input, "--ca {}: this is no certificate", escape_visible(server.ca));
    return context;
}

} // namespace

void FtpStream::Free::operator()(ssl_st* ssl) const noexcept {
    ::SSL_free(ssl);
}
void FtpClient::FreeContext::operator()(ssl_ctx_st* context) const noexcept {
    ::SSL_CTX_free(context);
}

void FtpStream::start_tls(ssl_ctx_st* context, const std::string& host, const FtpStream* resumed) {
    ssl_.reset(::SSL_new(context));
    ::SSL_set_fd(ssl_.get(), fd_.get());
    if (!host.empty()) {
        if (parse_address(host))
            ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl_.get()), host.c_str());
        else
            ::SSL_set1_host(ssl_.get(), host.c_str());
    }
    if (resumed != nullptr)
        ::SSL_set_session(ssl_.get(), ::SSL_get_session(resumed->ssl_.get()));
    if (::SSL_connect(ssl_.get()) != 1) {
        const long why = ::SSL_get_verify_result(ssl_.get());
        stop(Status::unavailable, "no TLS with the server: {}",
             why != X509_V_OK ? ::X509_verify_cert_error_string(why) : "the handshake failed");
    }
}

void FtpStream::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ssl_ ? ::SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()))
                               : ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0)
            failed("cannot send");
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

std::string FtpStream::receive() {
    std::string block(k_block, '\0');
    const ssize_t n = ssl_ ? ::SSL_read(ssl_.get(), block.data(), static_cast<int>(block.size()))
                           : ::recv(fd_.get(), block.data(), block.size(), 0);
    block.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return block;
}

void FtpStream::close() {
    if (ssl_) {
        ::SSL_shutdown(ssl_.get());
        ::SSL_shutdown(ssl_.get()); // waits for the other's: without it servers take an upload for a cut one
    }
    ssl_.reset();
    fd_.reset();
}

FtpClient::FtpClient(const Server& server)
    : server_(server), context_(make_context(server)), control_(connect_to(server.host, server.port)) {
    if (const std::string greeting = answer(); !says_yes(greeting))
        stop(Status::unavailable, "{} does not greet: {}", escape_visible(server.host),
             escape_visible(greeting));
}

FtpClient::~FtpClient() = default;

// "123-..." lines, up to one that begins with the same code and a blank.
std::string FtpClient::answer() {
    std::string out;
    for (;;) {
        const std::size_t end = buffer_.find('\n');
        if (end == std::string::npos) {
            const std::string more = control_.receive();
            if (more.empty() || buffer_.size() > k_max_answer || out.size() > k_max_answer)
                stop(Status::unavailable, "the FTP server went away, or does not answer");
            buffer_ += more;
            continue;
        }
        const std::string line = buffer_.substr(0, end + 1);
        buffer_.erase(0, end + 1);
        out += line;
        const bool code = line.size() > 3 && parse_u64(std::string_view(line).substr(0, 3));
        if (code && line[3] == ' ')
            return out;
    }
}

std::string FtpClient::command(std::string_view line) {
    control_.send(std::string(line) + "\r\n");
    return answer();
}

bool FtpClient::start_tls() {
    if (!command("AUTH TLS").starts_with("234"))
        return false;
    control_.start_tls(context_.get(), server_.any_certificate ? std::string() : server_.host, nullptr);
    return true;
}

Fd FtpClient::passive() {
    const std::string said = command("EPSV");
    const std::size_t at = said.find("|||");
    if (!said.starts_with("229") || at == std::string::npos)
        return {};
    const auto port = parse_u64(std::string_view(said).substr(at + 3, said.find('|', at + 3) - at - 3));
    if (!port || *port == 0 || *port > 65535)
        return {};
    // The same host, whatever its name means by now.
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(control_.fd(), reinterpret_cast<sockaddr*>(&peer), &size) != 0)
        return {};
    const auto wanted = htons(static_cast<std::uint16_t>(*port));
    if (peer.ss_family == AF_INET6)
        reinterpret_cast<sockaddr_in6*>(&peer)->sin6_port = wanted;
    else
        reinterpret_cast<sockaddr_in*>(&peer)->sin_port = wanted;
    Fd fd{::socket(peer.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    bound_time(fd.get());
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&peer), size) != 0)
        return {};
    return fd;
}

FtpClient::Transfer FtpClient::transfer(std::string_view line, std::optional<std::string_view> content) {
    Fd fd = passive();
    if (!fd.valid())
        return {.answer = "425 no data connection"};
    FtpStream data(std::move(fd));
    Transfer out{.answer = command(line)};
    if (!out.answer.starts_with('1'))
        return out;
    if (control_.encrypted())
        data.start_tls(context_.get(), {}, &control_);
    if (content)
        data.send(*content);
    else
        for (std::string block = data.receive(); !block.empty() && out.came.size() < k_max_data;
             block = data.receive())
            out.came += block;
    data.close();
    out.answer = answer();
    return out;
}

} // namespace gate::ctl
