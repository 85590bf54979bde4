// Creates and releases market data APIs under a flow of ticks: from another thread, from within a callback, while
// nothing is connected, and before it was ever started. Prints how many threads are left.
#include <dirent.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>

#include "ThostFtdcMdApi.h"

static std::string front;
static char symbol[] = "rb2605";

struct Spi : CThostFtdcMdSpi {
    CThostFtdcMdApi *api = CThostFtdcMdApi::CreateFtdcMdApi("");
    std::atomic<int> ticks{0};
    std::atomic<bool> released{false};
    bool releases_itself = false;
    std::mutex *stuck = nullptr;   // a callback that does not return while somebody holds it

    void OnFrontConnected() override {
        if (stuck) {
            ticks = 5;
            std::lock_guard<std::mutex> guard(*stuck);
            return;
        }
        CThostFtdcReqUserLoginField login{};
        strcpy(login.UserID, "x");
        api->ReqUserLogin(&login, 1);
    }
    void OnRspUserLogin(CThostFtdcRspUserLoginField *, CThostFtdcRspInfoField *, int, bool) override {
        char *names[] = {symbol};
        api->SubscribeMarketData(names, 1);
    }
    void OnRtnDepthMarketData(CThostFtdcDepthMarketDataField *) override {
        if (released) abort();   // a callback after Release returned
        if (++ticks == 5 && releases_itself) {
            released = true;
            api->Release();
        }
    }
    void open() {
        api->RegisterSpi(this);
        char address[100];
        snprintf(address, sizeof address, "%s", front.c_str());
        api->RegisterFront(address);
        api->Init();
    }
};

static void wait(std::atomic<int> &ticks) {
    while (ticks < 5) usleep(500);
}

int main(int, char **arguments) {
    front = arguments[1];
    for (int cycle = 0; cycle < 100; cycle++) {
        auto *spi = new Spi;   // never freed: a late callback shall be seen, not crash at random
        spi->open();
        wait(spi->ticks);
        spi->api->Release();
        spi->released = true;
    }
    for (int cycle = 0; cycle < 10; cycle++) {
        auto *spi = new Spi;
        spi->releases_itself = true;
        spi->open();
        wait(spi->ticks);
        while (!spi->released) usleep(500);
    }
    auto *joined = new Spi;
    joined->open();
    std::thread waiting([joined] { joined->api->Join(); });
    wait(joined->ticks);
    joined->api->Release();
    waiting.join();
    auto *blocked = new Spi;
    std::mutex held;
    {
        std::lock_guard<std::mutex> guard(held);
        blocked->stuck = &held;
        blocked->open();
        wait(blocked->ticks);
        blocked->api->Release();   // gives up after two seconds
    }
    front = "tcp://127.0.0.1:1";
    auto *unconnected = new Spi;
    unconnected->open();
    usleep(20000);
    unconnected->api->Release();
    CThostFtdcMdApi::CreateFtdcMdApi("")->Release();
    int threads = 0;
    for (int tries = 0; tries < 200; tries++) {
        threads = 0;
        DIR *tasks = opendir("/proc/self/task");
        while (dirent *task = readdir(tasks)) threads += task->d_name[0] != '.';
        closedir(tasks);
        if (threads == 1) break;
        usleep(10000);
    }
    printf("threads %d\n", threads);
}
