#include "connection.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace ctpsim {
namespace {

using namespace std::chrono;

constexpr int READ_FAILED = 0x1001;
constexpr int BAD_MESSAGE = 0x2003;
constexpr milliseconds RETRY{1000};
constexpr seconds PATIENCE{2};

long setting(const char *name, long otherwise, long lowest, long highest) {
    const char *text = getenv(name);
    if (!text || !*text) return otherwise;
    char *end = nullptr;
    long value = strtol(text, &end, 10);
    return *end || value < lowest || value > highest ? otherwise : value;
}

// A slow reader shall be felt by the front, and not be hidden by megabytes of the kernel's.
int receive_buffer() { return int(setting("CTPSIM_RECEIVE_BUFFER", 256 * 1024, 4096, 64 << 20)); }

milliseconds retry() { return milliseconds(setting("CTPSIM_RETRY_MS", RETRY.count(), 1, 3'600'000)); }

std::string flow_file(const char *path, char side) {
    return path && *path ? std::string(path) + (side == 'M' ? "ctpsim_md.con" : "ctpsim_td.con") : "";
}

bool connect_within(int socket, const addrinfo *address, std::atomic<bool> &stop) {
    if (!::connect(socket, address->ai_addr, address->ai_addrlen)) return true;
    if (errno != EINPROGRESS) return false;
    for (int tries = 0; tries < 100 && !stop; tries++) {
        pollfd ready{socket, POLLOUT, 0};
        if (::poll(&ready, 1, 50) <= 0) continue;
        int error = 0;
        socklen_t size = sizeof error;
        return !getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) && !error;
    }
    return false;
}

}   // namespace

Connection::Connection(std::unique_ptr<Listener> listener, char side, uint64_t layout, const char *flow_path)
    : listener_(std::move(listener)), side_(side), layout_(layout), flow_file_(flow_file(flow_path, side)) {
    topics_.private_resume = topics_.public_resume = 255;
    wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    load_topics();
}

Connection::~Connection() {
    if (wake_ >= 0) close(wake_);
}

void Connection::add_front(const char *address) {
    if (address && fronts_.size() < 64) fronts_.emplace_back(address, strnlen(address, 200));
}

void Connection::set_resume(int private_type, int public_type) {
    std::lock_guard<std::mutex> guard(mutex_);
    if (private_type >= 0) topics_.private_resume = uint8_t(private_type);
    if (public_type >= 0) topics_.public_resume = uint8_t(public_type);
}

void Connection::start() {
    std::lock_guard<std::mutex> guard(mutex_);
    if (started_ || stop_) return;
    started_ = true;
    std::thread([self = shared_from_this()] { self->run(); }).detach();
}

void Connection::release() {
    stop_ = true;
    uint64_t one = 1;
    (void)!write(wake_, &one, sizeof one);
    ended_changed_.notify_all();
    if (thread_ == (unsigned long)pthread_self()) return;
    std::unique_lock<std::mutex> lock(mutex_);
    ended_changed_.wait_for(lock, PATIENCE, [this] { return ended_ || !started_; });
}

void Connection::join() {
    std::unique_lock<std::mutex> lock(mutex_);
    ended_changed_.wait(lock, [this] { return ended_ || (stop_ && !started_); });
}

const char *Connection::trading_day() {
    std::lock_guard<std::mutex> guard(mutex_);
    return trading_day_;
}

int Connection::refused(bool query) {
    if (!connected_) return -1;
    if (limits_.answer) return limits_.answer;
    if (unsent_.size() > MAX_PENDING) return -2;
    auto now = steady_clock::now();
    while (!requests_.empty() && now - requests_.front() >= seconds(1)) requests_.pop_front();
    if (limits_.requests_per_s && requests_.size() >= limits_.requests_per_s) return -3;
    if (query && now - last_query_ < milliseconds(limits_.query_interval_ms)) return -3;
    if (query) last_query_ = now;
    if (limits_.requests_per_s) requests_.push_back(now);
    return 0;
}

int Connection::request(uint16_t what, const void *data, size_t size, int id, bool query) {
    if (size > MAX_BODY) return -2;
    std::lock_guard<std::mutex> guard(mutex_);
    if (int code = refused(query)) return code;
    Head head{uint32_t(size), what, CALL, LAST, id, uint32_t(size)};
    unsent_.append((const char *)&head, sizeof head);
    if (size) unsent_.append((const char *)data, size);
    uint64_t one = 1;
    (void)!write(wake_, &one, sizeof one);
    return 0;
}

void Connection::run() {
    thread_ = (unsigned long)pthread_self();
    for (size_t turn = 0; !stop_; turn++) {
        int socket = fronts_.empty() ? -1 : dial(fronts_[turn % fronts_.size()]);
        if (socket >= 0) {
            int reason = serve(socket);
            {
                std::lock_guard<std::mutex> guard(mutex_);
                connected_ = false;
                unsent_.clear();
            }
            close(socket);
            if (!stop_) listener_->on_disconnected(reason);
        }
        pause(retry());
    }
    std::lock_guard<std::mutex> guard(mutex_);
    ended_ = true;
    ended_changed_.notify_all();
}

int Connection::dial(const std::string &address) {
    size_t scheme = address.find("://");
    std::string where = scheme == std::string::npos ? address : address.substr(scheme + 3);
    size_t colon = where.rfind(':');
    if (colon == std::string::npos) return -1;
    addrinfo wanted{}, *found = nullptr;
    wanted.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(where.substr(0, colon).c_str(), where.substr(colon + 1).c_str(), &wanted, &found)) return -1;
    int made = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, size = receive_buffer();
    if (made >= 0) {
        setsockopt(made, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (!connect_within(made, found, stop_)) {
            close(made);
            made = -1;
        }
    }
    freeaddrinfo(found);
    return made;
}

int Connection::serve(int socket) {
    std::vector<char> buffer(4 * (sizeof(Head) + MAX_BODY));
    size_t have = 0;
    int reason = READ_FAILED;
    while (!stop_) {
        bool more;
        {
            std::lock_guard<std::mutex> guard(mutex_);
            more = !unsent_.empty();
        }
        pollfd ready[2] = {{socket, short(POLLIN | (more ? POLLOUT : 0)), 0}, {wake_, POLLIN, 0}};
        if (poll(ready, 2, -1) < 0 && errno != EINTR) return reason;
        if (ready[1].revents) {
            uint64_t count;
            (void)!read(wake_, &count, sizeof count);
        }
        if (!flush(socket)) return reason;
        if (!ready[0].revents) continue;
        ssize_t got = recv(socket, buffer.data() + have, buffer.size() - have, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (got <= 0) return reason;
        have += size_t(got);
        size_t at = 0;
        while (!stop_ && have - at >= sizeof(Head)) {
            Head head;
            memcpy(&head, buffer.data() + at, sizeof head);
            if (head.body > MAX_BODY || head.data > head.body) return BAD_MESSAGE;
            if (have - at < sizeof head + head.body) break;
            if (take(head, buffer.data() + at + sizeof head, reason) == Heard::lost) return reason;
            at += sizeof head + head.body;
        }
        memmove(buffer.data(), buffer.data() + at, have - at);
        have -= at;
    }
    return reason;
}

Connection::Heard Connection::take(const Head &head, const char *body, int &reason) {
    switch (head.kind) {
    case HELLO:
        return greet(head, body, reason);
    case DROP:
        reason = head.request;
        return Heard::lost;
    case WARN:
        listener_->on_warning(head.request);
        return Heard::more;
    case LIMITS: {
        if (head.body != sizeof(Limits)) break;
        std::lock_guard<std::mutex> guard(mutex_);
        memcpy(&limits_, body, sizeof limits_);
        return Heard::more;
    }
    case CALL: {
        Frame frame{head.what, bool(head.flags & LAST), head.request, body, head.data, body + head.data,
                    head.body - head.data};
        if (head.flags & (PRIVATE | LOGIN)) remember(head, frame);
        if (listener_->on_frame(frame)) return Heard::more;
        break;
    }
    }
    fprintf(stderr, "ctpsim: frame %d of kind %d from the front is not understood\n", head.what, head.kind);
    reason = BAD_MESSAGE;
    return Heard::lost;
}

Connection::Heard Connection::greet(const Head &head, const char *body, int &reason) {
    Hello hello{};
    if (head.body == sizeof hello) memcpy(&hello, body, sizeof hello);
    if (hello.layout != layout_ || hello.side != side_) {
        fprintf(stderr, "ctpsim: the front is not of this library's build, or not of its side; run `ctpsim build`\n");
        reason = BAD_MESSAGE;
        return Heard::lost;
    }
    {
        std::lock_guard<std::mutex> guard(mutex_);
        limits_ = hello.limits;
        Head answer{sizeof topics_, 0, TOPICS, 0, 0, sizeof topics_};
        unsent_.assign((const char *)&answer, sizeof answer);
        unsent_.append((const char *)&topics_, sizeof topics_);
        requests_.clear();
        connected_ = true;
    }
    listener_->on_connected();
    uint64_t one = 1;
    (void)!write(wake_, &one, sizeof one);
    return Heard::more;
}

// The private stream's place, so that RESUME can go on from it in a later process.
void Connection::remember(const Head &head, const Frame &frame) {
    std::lock_guard<std::mutex> guard(mutex_);
    if (head.flags & LOGIN) {
        if (frame.data_size < 8) return;
        memcpy(trading_day_, frame.data, 8);
        if (memcmp(topics_.trading_day, trading_day_, 8)) topics_.private_number = 0;
        memcpy(topics_.trading_day, trading_day_, sizeof trading_day_);
    } else {
        topics_.private_number = head.request;
    }
    store_topics();
}

bool Connection::flush(int socket) {
    std::lock_guard<std::mutex> guard(mutex_);
    while (!unsent_.empty()) {
        ssize_t sent = send(socket, unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) return errno == EAGAIN || errno == EINTR;
        unsent_.erase(0, size_t(sent));
    }
    return true;
}

void Connection::pause(milliseconds time) {
    auto until = steady_clock::now() + time;
    while (!stop_) {
        auto left = duration_cast<milliseconds>(until - steady_clock::now()).count();
        if (left <= 0) return;
        pollfd ready{wake_, POLLIN, 0};
        if (poll(&ready, 1, int(left)) > 0) {
            uint64_t count;
            (void)!read(wake_, &count, sizeof count);
        }
    }
}

void Connection::load_topics() {
    if (flow_file_.empty()) return;
    int file = open(flow_file_.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    Topics stored{};
    if (read(file, &stored, sizeof stored) == ssize_t(sizeof stored)) {
        memcpy(topics_.trading_day, stored.trading_day, sizeof stored.trading_day);
        topics_.trading_day[8] = 0;
        topics_.private_number = stored.private_number;
    }
    close(file);
}

void Connection::store_topics() {
    if (flow_file_.empty()) return;
    int file = open(flow_file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return;
    (void)!write(file, &topics_, sizeof topics_);
    close(file);
}

}   // namespace ctpsim
