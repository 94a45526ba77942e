// Does a channel that a forwarding opens really lead anywhere?
#pragma once

#include "gatectl/probe/ssh_client.h"
#include "gatectl/probe/tries.h"

namespace gate::ctl {

class Forwarding {
  public:
    Forwarding(const SshClient& client, const ScratchDirectory& scratch, int port)
        : client_(client), scratch_(scratch), port_(port) {}

    [[nodiscard]] Tried local_port() const;   // -L
    [[nodiscard]] Tried local_socket() const; // -L to a socket on the server
    [[nodiscard]] Tried dynamic() const;      // -D
    [[nodiscard]] Tried remote_port() const;  // -R
    // -R of a socket on the server, under that name, which may stay.
    [[nodiscard]] Tried remote_socket(const std::string& path) const;
    [[nodiscard]] Tried tunnel() const; // -w

  private:
    [[nodiscard]] Tried connect_through(const std::string& name, const std::string& to) const;
    [[nodiscard]] Tried ask_for(const SshClient::Words& options, const char* yes) const;

    const SshClient& client_;
    const ScratchDirectory& scratch_;
    const int port_; // of the server: there somebody answers, on the server's own 127.0.0.1 as well
};

} // namespace gate::ctl
