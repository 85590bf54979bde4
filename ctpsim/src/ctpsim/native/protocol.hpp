// What the library and the front say to each other over TCP, on one machine, in its byte order: frames of a head and a
// body. `ctpsim/frames.py` is the front's side of it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ctpsim {

enum Kind : uint8_t {
    CALL = 0,     // to the front: a request; from it: a callback. Which one is Head::what, a place in the headers
    HELLO = 1,    // from the front, first: the connection counts from here on; `Hello`
    DROP = 2,     // from the front: consider the connection lost, Head::request is the reason
    WARN = 3,     // from the front: OnHeartBeatWarning, Head::request is the time
    LIMITS = 4,   // from the front: `Limits` that hold from now on
    TOPICS = 5,   // to the front, in answer to HELLO: `Topics`
};

enum Flag : uint8_t {
    LAST = 1,      // the last one of an answer
    PRIVATE = 2,   // of the private stream; Head::request is its number there
    LOGIN = 4,     // a login that succeeded: the data begin with the trading day
};

#pragma pack(push, 1)
struct Head {
    uint32_t body;        // bytes that follow: the data, then the error record
    uint16_t what;
    uint8_t kind;
    uint8_t flags;
    int32_t request;
    uint32_t data;        // how many of the body are data
};

struct Limits {
    uint32_t query_interval_ms;   // between two queries, else -3
    uint32_t requests_per_s;      // of all kinds, else -3
    int32_t answer;               // what every request returns, if it is not 0
};

struct Hello {
    uint64_t layout;   // digest of all records and calls: both sides must come from the same headers
    char side;         // 'M' or 'T'
    Limits limits;
};

struct Topics {
    uint8_t private_resume;    // THOST_TE_RESUME_TYPE, 255: not subscribed
    uint8_t public_resume;
    char trading_day[9];       // of the last login, empty before the first
    int32_t private_number;    // the last one that was received of that day
};
#pragma pack(pop)

constexpr size_t MAX_BODY = 1 << 16;
constexpr size_t MAX_RECORD = 1 << 14;
constexpr size_t MAX_PENDING = 1 << 20;   // of requests that the front has not read; more of them get -2
constexpr size_t SYMBOL = 81;

}   // namespace ctpsim
