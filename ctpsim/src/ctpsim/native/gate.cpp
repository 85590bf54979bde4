// The gate: in the place of CTP's market data library, which it loads and passes everything on to and from, but ticks.
// They wait here, and go many at once to a socket (`gate_pump`). So nothing is done for each of them in the
// thread of CTP but a copy, and none waits in a queue without a bound.
//
// First in, first out, while that is quick enough. Once the oldest has waited for too long behind many others, or as
// many wait as may, it conflates: of each instrument the newest stands in the place of the one that waited, and says how
// many it stands for. All are fetched in rounds then, one in 50 ms at most, which leaves time to those behind; until
// what comes would be fetched in seven tenths of its time. A pause may have begun it at a rate that is near to all that
// can be done, and rounds tell little of that: so it is tried without after a quarter of a second, and where that is
// no good again after twice as long, up to 16 s.
//
// `glue.inc` is generated from the headers: all other callbacks and requests.
#include <dlfcn.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <iterator>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "ThostFtdcMdApi.h"

namespace {

#define GATE_VERSION
#include "glue.inc"
#undef GATE_VERSION

using namespace std::chrono;
using Api = CThostFtdcMdApi;
using Spi = CThostFtdcMdSpi;
using Record = CThostFtdcDepthMarketDataField;

// As it is fetched. `came_ns` is UTC then; here it is of the steady clock.
struct Tick {
    int64_t came_ns;
    int64_t skipped;
    Record record;
};
static_assert(sizeof(Tick) == 16 + 584);

constexpr int64_t ROUND_NS = 50'000'000;
constexpr double ENOUGH = 0.7;
constexpr int64_t TRY_NS = 250'000'000, LONGEST_TRY_NS = 16'000'000'000;

int64_t steady_ns() { return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count(); }
int64_t utc_ns() { return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count(); }

class Ring {
public:
    void bound(size_t most, size_t backlog, int64_t late_ns) {
        std::lock_guard<std::mutex> guard(mutex_);
        most_ = most;
        backlog_ = backlog;
        late_ns_ = late_ns;
    }

    void put(const Record &record) {
        std::lock_guard<std::mutex> guard(mutex_);
        if (closed_) return;
        came_count_++;
        came_ns_ = steady_ns();
        put(Tick{came_ns_, 0, record});
        if (!conflates_ && waiting_.size() > backlog_ && is_late()) begin_conflating();
        if (awaited_) came_.notify_one();
    }

    // Returns when there are some: at most so many, the oldest first. Those that come within `pause` of the first go with
    // it, and those that come within `apart` of the time before. None once it is closed and empty.
    size_t take(Tick *into, size_t most, nanoseconds pause, nanoseconds apart) {
        std::unique_lock<std::mutex> lock(mutex_);
        if (conflates_ && !round_left_) end_round(lock);
        awaited_ = true;
        came_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
        awaited_ = false;
        if (!conflates_ && !closed_ && waiting_.size() < most) {
            lock.unlock();
            std::this_thread::sleep_for(std::max(pause, apart - nanoseconds(steady_ns() - fetched_ns_)));
            lock.lock();
        }
        if (conflates_ && !round_left_) begin_round();
        size_t count = std::min(most, conflates_ ? round_left_ : waiting_.size());
        int64_t now_ns = steady_ns(), to_utc = utc_ns() - now_ns;
        if (count < most) fetched_ns_ = now_ns;   // else what is left goes at once
        for (Tick *tick = into; tick < into + count; tick++) {
            if (conflates_) places_.erase(symbol_of(waiting_.front()));
            *tick = waiting_.front();
            tick->came_ns += to_utc;
            waiting_.pop_front();
            taken_++;
        }
        if (conflates_) round_left_ -= count;
        return count;
    }

    // Nothing more comes in.
    void close() {
        std::lock_guard<std::mutex> guard(mutex_);
        closed_ = true;
        came_.notify_one();
    }

    size_t size() {
        std::lock_guard<std::mutex> guard(mutex_);
        return waiting_.size();
    }

    // Since the last tick came.
    int64_t silent_ns() {
        std::lock_guard<std::mutex> guard(mutex_);
        return steady_ns() - came_ns_;
    }

private:
    static std::string_view symbol_of(const Tick &tick) {
        const auto &text = tick.record.InstrumentID;
        return {text, strnlen(text, sizeof text)};
    }

    bool is_late() const {
        return waiting_.size() > most_ || waiting_.back().came_ns - waiting_.front().came_ns > late_ns_;
    }

    void begin_conflating() {
        std::deque<Tick> waiting;
        waiting.swap(waiting_);
        began_ns_ = came_ns_;
        try_ns_ = began_ns_ - ended_ns_ < TRY_NS ? std::min(2 * try_ns_, LONGEST_TRY_NS) : TRY_NS;
        conflates_ = true;
        round_left_ = 0;
        for (const Tick &tick : waiting) put(tick);
    }

    void begin_round() {
        round_ = round_left_ = waiting_.size();
        round_began_ns_ = steady_ns();
        came_count_ = 0;
    }

    // Whoever fetches is through with it. It conflates on, after a pause, if it has to.
    void end_round(std::unique_lock<std::mutex> &lock) {
        double took_ns = steady_ns() - round_began_ns_;
        if (took_ns < ROUND_NS) {
            lock.unlock();
            std::this_thread::sleep_for(nanoseconds(int64_t(ROUND_NS - took_ns)));
            lock.lock();
        }
        double since_ns = steady_ns() - round_began_ns_;
        int64_t now_ns = steady_ns();
        if (came_count_ * took_ns / round_ > since_ns * ENOUGH && now_ns - began_ns_ < try_ns_) return;
        ended_ns_ = now_ns;
        conflates_ = false;
        places_.clear();
    }

    void put(const Tick &tick) {
        if (conflates_) {
            auto found = places_.find(symbol_of(tick));
            if (found != places_.end()) {
                Tick &before = waiting_[found->second - taken_];
                int64_t skipped = before.skipped + tick.skipped + 1;
                before = tick;   // of the same symbol, so the key stays what it was
                before.skipped = skipped;
                return;
            }
        }
        waiting_.push_back(tick);
        if (conflates_) places_.emplace(symbol_of(waiting_.back()), taken_ + waiting_.size() - 1);
    }

    std::mutex mutex_;
    std::condition_variable came_;
    size_t most_ = 32768, backlog_ = 2048;
    int64_t late_ns_ = 60'000'000;
    std::deque<Tick> waiting_;
    uint64_t taken_ = 0;
    std::unordered_map<std::string_view, uint64_t> places_;   // while it conflates: counted from the first tick ever
    bool conflates_ = false, awaited_ = false, closed_ = false;
    int64_t came_ns_ = 0, fetched_ns_ = 0;   // the last one came, and some were fetched
    int64_t began_ns_ = 0, ended_ns_ = -TRY_NS, try_ns_ = TRY_NS;   // of conflating
    size_t round_ = 1, round_left_ = 0, came_count_ = 0;   // of this round, and since it began
    int64_t round_began_ns_ = 0;
};

Ring &ring() {
    static Ring &one = *new Ring;   // it outlives the threads of CTP
    return one;
}

class Callbacks final : public Spi {
public:
    void OnFrontConnected() override {
        if (Spi *spi = spi_) spi->OnFrontConnected();
    }
    void OnFrontDisconnected(int reason) override {
        if (Spi *spi = spi_) spi->OnFrontDisconnected(reason);
    }
    void OnHeartBeatWarning(int seconds) override {
        if (Spi *spi = spi_) spi->OnHeartBeatWarning(seconds);
    }
    void OnRtnDepthMarketData(Record *record) override {
        if (record) ring().put(*record);
    }
#define GATE_CALLBACKS
#include "glue.inc"
#undef GATE_CALLBACKS

    std::atomic<Spi *> spi_{nullptr};
};

// Never deleted: a thread of CTP may still be on its way through it. A session's process makes one.
class Gate final : public Api {
public:
    explicit Gate(Api *real) : real_(real) { real_->RegisterSpi(&callbacks_); }

    void Release() override {
        callbacks_.spi_ = nullptr;
        real_->RegisterSpi(nullptr);
        real_->Release();
    }
    void Init() override { real_->Init(); }
    int Join() override { return real_->Join(); }
    const char *GetTradingDay() override { return real_->GetTradingDay(); }
    void RegisterFront(char *address) override { real_->RegisterFront(address); }
    void RegisterNameServer(char *address) override { real_->RegisterNameServer(address); }
    void RegisterFensUserInfo(CThostFtdcFensUserInfoField *user) override { real_->RegisterFensUserInfo(user); }
    void RegisterSpi(Spi *spi) override { callbacks_.spi_ = spi; }
#define GATE_REQUESTS
#include "glue.inc"
#undef GATE_REQUESTS

private:
    Api *real_;
    Callbacks callbacks_;
};

decltype(&Api::CreateFtdcMdApi) create_real = nullptr;
decltype(&Api::GetApiVersion) version_of_real = nullptr;

}   // namespace

CThostFtdcMdApi *CThostFtdcMdApi::CreateFtdcMdApi(const char *path, const bool udp, const bool multicast, bool production) {
    Api *real = create_real ? create_real(path, udp, multicast, production) : nullptr;
    return real ? new Gate(real) : nullptr;
}

const char *CThostFtdcMdApi::GetApiVersion() { return version_of_real ? version_of_real() : ""; }

extern "C" {

// Why `library` cannot be what the gate stands before; null if it does. Once, before an API is made.
const char *gate_open(const char *library, size_t most, size_t backlog, int64_t late_ns) {
    static std::string lacks;
    void *real = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!real) return (lacks = dlerror()).c_str();
    auto create = (decltype(create_real))dlsym(real, "_ZN15CThostFtdcMdApi15CreateFtdcMdApiEPKcbbb");
    auto version = (decltype(version_of_real))dlsym(real, "_ZN15CThostFtdcMdApi13GetApiVersionEv");
    if (!create || !version) return "it is no market data library of CTP";
    if (strncmp(version(), VERSION, strlen(VERSION)))
        return (lacks = std::string("it is CTP ") + version() + ", and the gate stands before " + VERSION).c_str();
    create_real = create;
    version_of_real = version;
    ring().bound(most, backlog, late_ns);
    return nullptr;
}

// Waits until there are ticks; how many of at most `most` were written to `into`. None once the gate is closed and empty.
size_t gate_take(Tick *into, size_t most) { return ring().take(into, most, 0ns, 0ns); }

// Writes what is fetched to a socket, until the gate is closed and empty. False where nobody reads it any more.
bool gate_pump(int into, int pause_us, int apart_us) {
    static Tick batch[128];
    while (size_t count = ring().take(batch, std::size(batch), microseconds(pause_us), microseconds(apart_us))) {
        auto from = (const char *)batch;
        for (size_t left = count * sizeof(Tick); left;) {
            ssize_t sent = send(into, from, left, MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent < 0) return false;
            from += sent;
            left -= size_t(sent);
        }
    }
    return true;
}

// How many wait.
size_t gate_waiting() { return ring().size(); }

// For how long no tick has come.
int64_t gate_silent_ns() { return ring().silent_ns(); }

// Let no more ticks in; what waits is still to be taken.
void gate_close() { ring().close(); }

}   // extern "C"
