#include "gatectl/probe/interrupts.h"

namespace gate::ctl {

namespace {

constexpr std::array k_signals = {SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t came = 0;

void remember(int) {
    came = 1;
}

} // namespace

Interrupts::Interrupts() {
    came = 0;
    struct sigaction action {};
    action.sa_handler = remember;
    action.sa_flags = SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < k_signals.size(); ++i) {
        ::sigaction(k_signals[i], nullptr, &before_[i]);
        if (before_[i].sa_handler != SIG_IGN)
            ::sigaction(k_signals[i], &action, nullptr);
    }
}

Interrupts::~Interrupts() {
    for (std::size_t i = 0; i < k_signals.size(); ++i)
        ::sigaction(k_signals[i], &before_[i], nullptr);
}

bool interrupted() {
    return came != 0;
}

} // namespace gate::ctl
