// Tag-length-value, little-endian: u16 tag, u32 length, bytes. Used for records and for the policy, so that a
// field can be added without another format. The reader takes every bound by subtraction.
#pragma once

#include "lib/base/result.h"

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace gate::keyring {

static_assert(std::endian::native == std::endian::little, "the keyring is read in place, little-endian");

template<std::unsigned_integral T>
void put_int(std::string& out, T value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out.append(bytes, sizeof value);
}

// The caller has checked that sizeof(T) bytes are there.
template<std::unsigned_integral T>
[[nodiscard]] T get_int(const void* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

class TlvWriter {
  public:
    void bytes(std::uint16_t tag, std::string_view value) {
        put_int(out_, tag);
        put_int(out_, static_cast<std::uint32_t>(value.size()));
        out_ += value;
    }
    void number(std::uint16_t tag, std::uint64_t value) {
        put_int(out_, tag);
        put_int(out_, std::uint32_t{sizeof value});
        put_int(out_, value);
    }
    [[nodiscard]] std::string take() { return std::move(out_); }

  private:
    std::string out_;
};

inline constexpr std::size_t k_tlv_head = sizeof(std::uint16_t) + sizeof(std::uint32_t);
inline constexpr std::size_t k_tlv_number = k_tlv_head + sizeof(std::uint64_t);

// The same, into room that the caller has made sure of: for what is written a million times.
class TlvCursor {
  public:
    explicit TlvCursor(char* at) : at_(at) {}
    // One field from two parts.
    void bytes(std::uint16_t tag, std::string_view value, std::string_view more = {}) {
        put(tag);
        put(static_cast<std::uint32_t>(value.size() + more.size()));
        copy(value.data(), value.size());
        copy(more.data(), more.size());
    }
    void number(std::uint16_t tag, std::uint64_t value) {
        put(tag);
        put(std::uint32_t{sizeof value});
        put(value);
    }
    [[nodiscard]] char* at() const { return at_; }

  private:
    template<std::unsigned_integral T>
    void put(T value) {
        copy(&value, sizeof value);
    }
    void copy(const void* from, std::size_t size) {
        if (size != 0) // memcpy takes no null pointer
            std::memcpy(at_, from, size);
        at_ += size;
    }

    char* at_;
};

struct TlvField {
    std::uint16_t tag;
    std::string_view value;

    [[nodiscard]] Result<std::uint64_t> number() const {
        if (value.size() != sizeof(std::uint64_t))
            return fail(Errc::damaged, "a number in the keyring has the wrong length");
        return get_int<std::uint64_t>(value.data());
    }
    // A number that must not be over `max`.
    [[nodiscard]] Result<std::uint64_t> number_up_to(std::uint64_t max) const {
        GATE_TRY(const std::uint64_t n, number());
        if (n > max)
            return fail(Errc::damaged, "a number in the keyring is out of range");
        return n;
    }
};

class TlvReader {
  public:
    explicit TlvReader(std::string_view bytes) : rest_(bytes) {}
    [[nodiscard]] bool done() const { return rest_.empty(); }
    [[nodiscard]] Result<TlvField> next() {
        if (rest_.size() < k_tlv_head)
            return fail(Errc::damaged, "a field in the keyring is cut off");
        const auto tag = get_int<std::uint16_t>(rest_.data());
        const auto length = get_int<std::uint32_t>(rest_.data() + sizeof tag);
        if (length > rest_.size() - k_tlv_head)
            return fail(Errc::damaged, "a field in the keyring is longer than its record");
        const TlvField field{tag, rest_.substr(k_tlv_head, length)};
        rest_.remove_prefix(k_tlv_head + length);
        return field;
    }

  private:
    std::string_view rest_;
};

} // namespace gate::keyring
