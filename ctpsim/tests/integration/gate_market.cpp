// In place of CTP's market data library behind a gate: its user says what it calls back with, and what it was asked.
#include <cstdio>
#include <cstring>
#include <string>

#include "ThostFtdcMdApi.h"

#ifndef VERSION
#define VERSION "v6.7.11_test"
#endif

namespace {
CThostFtdcMdSpi *spi = nullptr;
std::string asked;

int note(const char *what, int number = 0) {
    asked += std::string(what) + " " + std::to_string(number) + "\n";
    return number;
}

struct Api final : CThostFtdcMdApi {
    void Release() override { note("Release", spi != nullptr); }
    void Init() override { note("Init"); }
    int Join() override { return note("Join", 3); }
    const char *GetTradingDay() override { return "20250102"; }
    void RegisterFront(char *address) override { note(address); }
    void RegisterNameServer(char *address) override { note(address); }
    void RegisterFensUserInfo(CThostFtdcFensUserInfoField *) override { note("RegisterFensUserInfo"); }
    void RegisterSpi(CThostFtdcMdSpi *given) override { spi = given; }
    int SubscribeMarketData(char *[], int count) override { return note("SubscribeMarketData", count); }
    int UnSubscribeMarketData(char *[], int count) override { return note("UnSubscribeMarketData", count); }
    int SubscribeForQuoteRsp(char *[], int count) override { return note("SubscribeForQuoteRsp", count); }
    int UnSubscribeForQuoteRsp(char *[], int count) override { return note("UnSubscribeForQuoteRsp", count); }
    int ReqUserLogin(CThostFtdcReqUserLoginField *, int id) override { return note("ReqUserLogin", id); }
    int ReqUserLogout(CThostFtdcUserLogoutField *, int id) override { return note("ReqUserLogout", id); }
    int ReqQryMulticastInstrument(CThostFtdcQryMulticastInstrumentField *, int id) override {
        return note("ReqQryMulticastInstrument", id);
    }
};

struct Heard final : CThostFtdcMdSpi {
    using Error = CThostFtdcRspInfoField;
    using Specific = CThostFtdcSpecificInstrumentField;
    void OnFrontConnected() override { note("OnFrontConnected"); }
    void OnFrontDisconnected(int reason) override { note("OnFrontDisconnected", reason); }
    void OnHeartBeatWarning(int seconds) override { note("OnHeartBeatWarning", seconds); }
    void OnRspUserLogin(CThostFtdcRspUserLoginField *, Error *, int id, bool last) override {
        note("OnRspUserLogin", id + last);
    }
    void OnRspUserLogout(CThostFtdcUserLogoutField *, Error *, int id, bool last) override {
        note("OnRspUserLogout", id + last);
    }
    void OnRspQryMulticastInstrument(CThostFtdcMulticastInstrumentField *, Error *, int id, bool last) override {
        note("OnRspQryMulticastInstrument", id + last);
    }
    void OnRspError(Error *, int id, bool last) override { note("OnRspError", id + last); }
    void OnRspSubMarketData(Specific *, Error *, int id, bool last) override { note("OnRspSubMarketData", id + last); }
    void OnRspUnSubMarketData(Specific *, Error *, int id, bool last) override {
        note("OnRspUnSubMarketData", id + last);
    }
    void OnRspSubForQuoteRsp(Specific *, Error *, int id, bool last) override { note("OnRspSubForQuoteRsp", id + last); }
    void OnRspUnSubForQuoteRsp(Specific *, Error *, int id, bool last) override {
        note("OnRspUnSubForQuoteRsp", id + last);
    }
    void OnRtnDepthMarketData(CThostFtdcDepthMarketDataField *) override { note("OnRtnDepthMarketData"); }
    void OnRtnForQuoteRsp(CThostFtdcForQuoteRspField *) override { note("OnRtnForQuoteRsp"); }
} heard;
}   // namespace

CThostFtdcMdApi *CThostFtdcMdApi::CreateFtdcMdApi(const char *, const bool, const bool, bool) { return new Api; }
const char *CThostFtdcMdApi::GetApiVersion() { return VERSION; }

extern "C" {

void market_tick(CThostFtdcDepthMarketDataField *record) { if (spi) spi->OnRtnDepthMarketData(record); }

// All callbacks, through the gate; what came out of it.
const char *market_calls(CThostFtdcMdApi *gate) {
    asked.clear();
    gate->RegisterSpi(&heard);
    spi->OnFrontConnected();
    spi->OnFrontDisconnected(1);
    spi->OnHeartBeatWarning(2);
    spi->OnRspUserLogin(nullptr, nullptr, 3, true);
    spi->OnRspUserLogout(nullptr, nullptr, 4, true);
    spi->OnRspQryMulticastInstrument(nullptr, nullptr, 5, true);
    spi->OnRspError(nullptr, 6, true);
    spi->OnRspSubMarketData(nullptr, nullptr, 7, true);
    spi->OnRspUnSubMarketData(nullptr, nullptr, 8, true);
    spi->OnRspSubForQuoteRsp(nullptr, nullptr, 9, true);
    spi->OnRspUnSubForQuoteRsp(nullptr, nullptr, 10, true);
    spi->OnRtnForQuoteRsp(nullptr);
    return asked.c_str();
}

// All requests, through the gate; what they were here.
const char *market_requests(CThostFtdcMdApi *gate) {
    asked.clear();
    char address[] = "front", server[] = "server";
    gate->RegisterFront(address);
    gate->RegisterNameServer(server);
    gate->RegisterFensUserInfo(nullptr);
    gate->Init();
    note("answer", gate->SubscribeMarketData(nullptr, 1) + gate->UnSubscribeMarketData(nullptr, 2));
    note("answer", gate->SubscribeForQuoteRsp(nullptr, 3) + gate->UnSubscribeForQuoteRsp(nullptr, 4));
    note("answer", gate->ReqUserLogin(nullptr, 5) + gate->ReqUserLogout(nullptr, 6));
    note(gate->GetTradingDay(), gate->ReqQryMulticastInstrument(nullptr, 7));
    note("answer", gate->Join());
    gate->Release();
    note("after it", spi != nullptr);
    return asked.c_str();
}

}   // extern "C"
