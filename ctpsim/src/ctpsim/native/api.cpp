// The API objects of CTP, on a Connection. Compiled once with -DMARKET and once with -DTRADER; `glue.inc` is generated
// from the headers: a method for each request, an entry for each callback, the size of each record.
#include <cstring>
#include <memory>
#include <string>

#include "connection.hpp"
#ifdef MARKET
#include "ThostFtdcMdApi.h"
using ApiBase = CThostFtdcMdApi;
using Spi = CThostFtdcMdSpi;
constexpr char SIDE = 'M';
#else
#include "ThostFtdcTraderApi.h"
using ApiBase = CThostFtdcTraderApi;
using Spi = CThostFtdcTraderSpi;
constexpr char SIDE = 'T';
#endif

namespace {

using ctpsim::Frame;

// A callback's records, copied to where they are aligned.
struct Call {
    const Frame &frame;
    bool understood = true;
    alignas(16) char data_record[ctpsim::MAX_RECORD];
    alignas(16) char error_record[1024];

    explicit Call(const Frame &heard) : frame(heard) {}

    template <class Record> Record *data() {
        static_assert(sizeof(Record) <= ctpsim::MAX_RECORD);
        return copied<Record>(frame.data, frame.data_size, data_record);
    }

    template <class Record> Record *error() {
        static_assert(sizeof(Record) <= sizeof error_record);
        return copied<Record>(frame.error, frame.error_size, error_record);
    }

    template <class Record> Record *copied(const char *from, size_t size, char *to) {
        if (!size) return nullptr;
        if (size != sizeof(Record)) {
            understood = false;
            return nullptr;
        }
        memcpy(to, from, size);
        return reinterpret_cast<Record *>(to);
    }
};

#define GLUE_SIZES
#include "glue.inc"
#undef GLUE_SIZES

using Callback = void (*)(Spi *, Call &);
constexpr Callback CALLBACKS[] = {
#define GLUE_CALLBACKS
#include "glue.inc"
#undef GLUE_CALLBACKS
};

class Callbacks final : public ctpsim::Listener {
public:
    void on_connected() override {
        if (Spi *spi = spi_) spi->OnFrontConnected();
    }
    void on_disconnected(int reason) override {
        if (Spi *spi = spi_) spi->OnFrontDisconnected(reason);
    }
    void on_warning(int seconds) override {
        if (Spi *spi = spi_) spi->OnHeartBeatWarning(seconds);
    }
    bool on_frame(const Frame &frame) override {
        if (frame.what >= sizeof CALLBACKS / sizeof *CALLBACKS) return false;
        static thread_local Spi nobody;
        Call call(frame);
        Spi *spi = spi_;
        CALLBACKS[frame.what](spi ? spi : &nobody, call);
        return call.understood;
    }

    std::atomic<Spi *> spi_{nullptr};
};

class Api final : public ApiBase {
public:
    explicit Api(const char *flow_path) {
        auto callbacks = std::make_unique<Callbacks>();
        callbacks_ = callbacks.get();
        connection_ = std::make_shared<ctpsim::Connection>(std::move(callbacks), SIDE, LAYOUT, flow_path);
    }

    void Release() override {
        connection_->release();
        callbacks_->spi_ = nullptr;
        delete this;
    }
    void Init() override { connection_->start(); }
    int Join() override {
        auto connection = connection_;   // it outlives a Release from elsewhere
        connection->join();
        return 0;
    }
    const char *GetTradingDay() override { return connection_->trading_day(); }
    void RegisterFront(char *address) override { connection_->add_front(address); }
    void RegisterNameServer(char *) override {}
    void RegisterFensUserInfo(CThostFtdcFensUserInfoField *) override {}
    void RegisterSpi(Spi *spi) override { callbacks_->spi_ = spi; }

#ifdef MARKET
    int symbols(uint16_t what, char *names[], int count) {
        std::string body;
        for (int index = 0; index < count; index++) {
            size_t size = names[index] ? strnlen(names[index], ctpsim::SYMBOL) : 0;
            if (size == ctpsim::SYMBOL || body.size() + size + 1 > ctpsim::MAX_BODY) return -2;
            body.append(names[index], size).push_back('\n');
        }
        return connection_->request(what, body.data(), body.size(), 0, false);
    }
#else
    void GetFrontInfo(CThostFtdcFrontInfoField *info) override {
        if (info) memset(info, 0, sizeof *info);
    }
    void SubscribePrivateTopic(THOST_TE_RESUME_TYPE type) override { connection_->set_resume(type, -1); }
    void SubscribePublicTopic(THOST_TE_RESUME_TYPE type) override { connection_->set_resume(-1, type); }
#endif

    template <class Record> int request(uint16_t what, const Record *record, int id, bool query) {
        return connection_->request(what, record, record ? sizeof *record : 0, id, query);
    }

#define GLUE_REQUESTS
#include "glue.inc"
#undef GLUE_REQUESTS

private:
    std::shared_ptr<ctpsim::Connection> connection_;
    Callbacks *callbacks_;
};

}   // namespace

#ifdef MARKET
CThostFtdcMdApi *CThostFtdcMdApi::CreateFtdcMdApi(const char *flow_path, const bool, const bool, bool) {
    return new Api(flow_path);
}
const char *CThostFtdcMdApi::GetApiVersion() { return VERSION; }
#else
CThostFtdcTraderApi *CThostFtdcTraderApi::CreateFtdcTraderApi(const char *flow_path, bool) { return new Api(flow_path); }
const char *CThostFtdcTraderApi::GetApiVersion() { return VERSION; }
#endif
