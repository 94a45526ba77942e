#include "lib/spool/content.h"

#include "lib/spool/encodings.h"

#include <cstring>
#include <expat.h>
#include <new>
#include <string_view>
#include <sys/random.h>

namespace gate::spool {

namespace {

constexpr std::string_view k_root = "agent_data";
constexpr std::string_view k_agent_name = "agent_name";

// What expat gets at a time. It begins a token that is not complete again with each block (before 2.6, and
// the distributions' repaired 2.5, with no other bound): so few blocks for a large packet, and small ones
// else, because expat copies them.
constexpr std::size_t k_least_block = 64 << 10;
constexpr std::size_t k_most_blocks = 64;

// A parser that holds more than this after a packet is not kept for the next one.
constexpr std::size_t k_keep = 256 << 10;

// What was found in one packet.
struct Reading {
    XML_Parser parser = nullptr;
    Alphabet alphabet = Alphabet::known;
    bool root_reached = false;
    bool root_is_right = false;
    bool doctype = false;
    bool out_of_memory = false;
    std::optional<std::string> agent_name;
};

// The calls that expat makes. None may throw.
void on_doctype(void* data, const XML_Char*, const XML_Char*, const XML_Char*, int) noexcept {
    auto& reading = *static_cast<Reading*>(data);
    reading.doctype = true;
    XML_StopParser(reading.parser, XML_FALSE);
}

void take_agent_name(Reading& reading, const XML_Char** attributes) noexcept {
    for (; *attributes != nullptr; attributes += 2)
        if (attributes[0] == k_agent_name) {
            try {
                reading.agent_name.emplace(attributes[1]);
            } catch (const std::bad_alloc&) {
                reading.out_of_memory = true;
            }
            return;
        }
}

void on_root(void* data, const XML_Char* name, const XML_Char** attributes) noexcept {
    auto& reading = *static_cast<Reading*>(data);
    XML_SetStartElementHandler(reading.parser, nullptr);
    reading.root_reached = true;
    reading.root_is_right = name == k_root;
    take_agent_name(reading, attributes);
    if (!reading.root_is_right || reading.out_of_memory)
        XML_StopParser(reading.parser, XML_FALSE);
}

int on_encoding(void* data, const XML_Char* name, XML_Encoding* encoding) noexcept {
    auto& reading = *static_cast<Reading*>(data);
    reading.alphabet = fill_map(name, encoding->map);
    encoding->data = nullptr;
    encoding->convert = nullptr;
    encoding->release = nullptr;
    return reading.alphabet == Alphabet::foreign ? XML_STATUS_ERROR : XML_STATUS_OK;
}

[[nodiscard]] XML_Error feed(XML_Parser parser, std::span<const std::byte> packet) {
    const std::size_t most = std::max(k_least_block, packet.size() / k_most_blocks);
    for (;;) {
        const auto block = packet.first(std::min(most, packet.size()));
        packet = packet.subspan(block.size());
        const XML_Status status = XML_Parse(parser, reinterpret_cast<const char*>(block.data()),
                                            static_cast<int>(block.size()), packet.empty());
        if (status != XML_STATUS_OK)
            return XML_GetErrorCode(parser);
        if (packet.empty())
            return XML_ERROR_NONE;
    }
}

[[nodiscard]] char lower(std::byte byte) {
    const auto c = static_cast<char>(byte);
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// NUL bytes left out, the bytes go on with `text`: so it is found in ASCII, UTF-16 and UTF-32 of either
// order.
[[nodiscard]] bool goes_on_with(std::span<const std::byte> bytes, std::string_view text) {
    for (const char expected : text) {
        while (!bytes.empty() && bytes.front() == std::byte{0})
            bytes = bytes.subspan(1);
        if (bytes.empty() || lower(bytes.front()) != expected)
            return false;
        bytes = bytes.subspan(1);
    }
    return true;
}

[[nodiscard]] bool may_hold_doctype(std::span<const std::byte> bytes) {
    // "<?xm" in EBCDIC, which some parsers recognise and then read on in.
    constexpr std::byte k_ebcdic[] = {std::byte{0x4c}, std::byte{0x6f}, std::byte{0xa7}, std::byte{0x94}};
    if (bytes.size() >= sizeof k_ebcdic && std::ranges::equal(bytes.first(sizeof k_ebcdic), k_ebcdic))
        return true;
    while (!bytes.empty()) {
        const void* const at = std::memchr(bytes.data(), '<', bytes.size());
        if (at == nullptr)
            return false;
        bytes = bytes.subspan(static_cast<std::size_t>(static_cast<const std::byte*>(at) - bytes.data()) + 1);
        if (goes_on_with(bytes, "!doctype") || goes_on_with(bytes, "!entity"))
            return true;
    }
    return false;
}

[[nodiscard]] Content verdict(const Reading& reading, XML_Error error, std::span<const std::byte> packet,
                              Doctype rule) {
    if (reading.doctype)
        return Content::doctype;
    if (reading.out_of_memory || error == XML_ERROR_NO_MEMORY ||
        error == XML_ERROR_AMPLIFICATION_LIMIT_BREACH)
        return Content::too_complex;
    if (rule == Doctype::refuse) {
        // What comes after the root's start tag is no DOCTYPE to anybody, if the tag is one to everybody.
        const bool sure = reading.root_reached && reading.alphabet == Alphabet::known;
        if (reading.alphabet == Alphabet::foreign || (!sure && may_hold_doctype(packet)))
            return Content::doctype;
    }
    if (reading.root_reached && !reading.root_is_right)
        return Content::wrong_root;
    return error == XML_ERROR_NONE ? Content::well_formed : Content::malformed;
}

} // namespace

void ContentChecker::Free::operator()(XML_ParserStruct* parser) const noexcept {
    XML_ParserFree(parser);
}

ContentChecker::ContentChecker() {
    // Before any sandbox: else expat asks at its first packet, and by other means where this one fails.
    if (::getrandom(&salt_, sizeof salt_, GRND_NONBLOCK) != sizeof salt_ || salt_ == 0)
        salt_ = reinterpret_cast<std::uintptr_t>(this);
}

ContentChecker::~ContentChecker() = default;

bool ContentChecker::prepare() noexcept {
    if (parser_ != nullptr && XML_ParserReset(parser_.get(), nullptr) == XML_FALSE)
        parser_.reset();
    if (parser_ == nullptr) {
        const XML_Memory_Handling_Suite memory = {&CappedHeap::take, &CappedHeap::resize, &CappedHeap::give};
        parser_.reset(XML_ParserCreate_MM(nullptr, &memory, nullptr));
    }
    return parser_ != nullptr;
}

Verdict ContentChecker::check(std::span<const std::byte> packet, Doctype rule) noexcept {
    const CappedHeap::Use use(heap_);
    heap_.start(content_memory_cap(packet.size()));
    if (!prepare())
        return {Content::too_complex, std::nullopt};
    XML_Parser const parser = parser_.get();
    Reading reading{.parser = parser, .agent_name = {}};
    XML_SetHashSalt(parser, salt_);
    XML_SetUserData(parser, &reading);
    XML_SetStartElementHandler(parser, on_root);
    XML_SetUnknownEncodingHandler(parser, on_encoding, &reading);
    if (rule == Doctype::refuse)
        XML_SetStartDoctypeDeclHandler(parser, on_doctype);
    const XML_Error error = feed(parser, packet);
    const Content content = verdict(reading, error, packet, rule);
    if (heap_.live() > k_keep)
        parser_.reset();
    return {content, std::move(reading.agent_name)};
}

} // namespace gate::spool
