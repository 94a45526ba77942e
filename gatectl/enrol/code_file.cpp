#include "gatectl/enrol/code_file.h"

#include "gatectl/problem.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <cerrno>
#include <sys/random.h>
#include <sys/stat.h>

namespace gate::ctl {

namespace {

[[nodiscard]] bool unhex(const std::string& text, std::array<std::uint8_t, 32>& out) {
    const auto digit = [](char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    if (text.size() != 2 * out.size())
        return false;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int high = digit(text[2 * i]);
        const int low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return true;
}

} // namespace

std::string code_directory(const Context& context) {
    return state_directory(context) + '/' + enrol::k_codes_directory;
}

void fill_random(void* to, std::size_t size) {
    if (::getrandom(to, size, 0) != static_cast<ssize_t>(size))
        stop(Status::io, "{}", describe(fail_errno("no random bytes").error()));
}

enrol::Salt salt_of(Store& store) {
    Enrolment enrolment = store.enrolment();
    enrol::Salt salt{};
    if (unhex(enrolment.salt, salt))
        return salt;
    fill_random(salt.data(), salt.size());
    enrolment.salt = hex_encode(salt);
    store.set_enrolment(enrolment);
    return salt;
}

void write_code_file(const Context& context, Store& store, std::int64_t now) {
    enrol::Codes codes;
    codes.salt = salt_of(store);
    const Enrolment enrolment = store.enrolment();
    codes.window = {enrolment.window_from, enrolment.window_until};
    for (const StoredCode& code : store.codes()) {
        enrol::Code one{.id = code.id, .made_at = code.made_at, .expires_at = code.expires_at};
        if (code.state != StoredCode::State::open || now >= code.expires_at)
            continue;
        if (!unhex(code.hash, one.hash))
            stop(Status::unavailable, "the store holds a code {} that is none: cancel it", code.id);
        codes.codes.push_back(std::move(one));
    }
    const std::string directory = code_directory(context);
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        stop(status_of_errno(errno), "{}: {}", escape_visible(directory),
             describe(fail_errno("cannot make the directory").error()));
    const auto written = enrol::write_codes(directory, codes, context.owner);
    if (!written && written.error().code == Errc::too_large)
        stop(Status::refused, "more than {} codes at once: wait until some are used, or cancel some",
             enrol::k_max_codes);
    if (!written)
        stop(written.error().sys_errno != 0 ? status_of_errno(written.error().sys_errno) : Status::io,
             "{}/{} could not be written: {}", escape_visible(directory), enrol::k_codes_name,
             describe(written.error()));
}

void write_code_file(const Context& context) {
    Store store(context.store, context.owner, context.store_patience);
    Store::Transaction transaction(store, Store::Transaction::Kind::write);
    write_code_file(context, store, wall_clock_us() / 1'000'000);
    transaction.commit();
}

} // namespace gate::ctl
