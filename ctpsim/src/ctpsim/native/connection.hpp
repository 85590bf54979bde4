// One API object's connection: a thread that dials, reads and calls back, and requests from whoever makes them.
//
// As the real library does: a front that refuses is dialled again every second without a word, one that accepts and
// closes gives OnFrontDisconnected(0x1001) every second, the fronts take turns, and a request returns -1 without a
// connection, -2 with too much unsent, -3 above the permitted rate. No request ever blocks.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "protocol.hpp"

namespace ctpsim {

struct Frame {
    uint16_t what;
    bool last;
    int request;
    const char *data;
    size_t data_size;
    const char *error;
    size_t error_size;
};

// What the API makes of what it hears. Called in the connection's thread only.
class Listener {
public:
    virtual ~Listener() = default;
    virtual void on_connected() = 0;
    virtual void on_disconnected(int reason) = 0;
    virtual void on_warning(int seconds) = 0;
    virtual bool on_frame(const Frame &frame) = 0;   // false: it is none of this API's
};

class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(std::unique_ptr<Listener> listener, char side, uint64_t layout, const char *flow_path);
    ~Connection();

    void add_front(const char *address);
    void set_resume(int private_type, int public_type);   // a negative one stays as it is
    void start();
    void release();   // waits for a callback that runs, two seconds at most; from within one it does not wait
    void join();
    const char *trading_day();
    int request(uint16_t what, const void *data, size_t size, int id, bool query);

private:
    enum class Heard { more, lost };

    void run();
    int dial(const std::string &address);
    int serve(int socket);   // the reason why it ended
    Heard take(const Head &head, const char *body, int &reason);
    Heard greet(const Head &head, const char *body, int &reason);
    void remember(const Head &head, const Frame &frame);
    bool flush(int socket);
    void pause(std::chrono::milliseconds time);
    int refused(bool query);
    void load_topics();
    void store_topics();

    std::unique_ptr<Listener> listener_;
    const char side_;
    const uint64_t layout_;
    const std::string flow_file_;
    std::vector<std::string> fronts_;

    std::mutex mutex_;   // of all that follows
    std::condition_variable ended_changed_;
    bool started_ = false;
    bool ended_ = false;
    bool connected_ = false;
    std::string unsent_;
    Topics topics_{};
    Limits limits_{};
    std::chrono::steady_clock::time_point last_query_{};
    std::deque<std::chrono::steady_clock::time_point> requests_;
    char trading_day_[9] = "";

    std::atomic<bool> stop_{false};
    std::atomic<unsigned long> thread_{0};
    int wake_ = -1;
};

}   // namespace ctpsim
