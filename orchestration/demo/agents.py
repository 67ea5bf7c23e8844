"""The cast: who works at the bank, in which program, with which model, on which systems."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.demo.emit import GenAI, OlderGenAI, OpenInference, Speech


@dataclass(frozen=True, slots=True)
class System:
    """What a tool reaches over the network. `seconds`: the usual time of a call, `spread` how much it varies."""

    name: str
    request: str  # the name of the call's own span
    protocol: str  # http, or a database's name
    seconds: float
    spread: float = 0.4


CRM = System("crm", "GET /customers/{id}", "http", 0.12)
HELP = System("knowledge-base", "POST /search", "http", 0.2)
CORE = System("core-banking", "SELECT bookings", "postgresql", 0.3, 0.9)  # mostly quick, sometimes very slow
PAYMENTS = System("payments", "POST /refunds", "http", 0.9, 0.5)
SANCTIONS = System("sanctions-list", "POST /match", "http", 0.7, 0.5)
MAIL = System("customer-mail", "POST /messages", "http", 0.15)
NEWS = System("press-archive", "POST /screenings", "http", 75.0, 0.5)  # searches for minutes
SWIFT = System("swift-tracker", "GET /payments/{uetr}", "http", 1.1, 0.5)
DOCUMENTS = System("document-store", "GET /documents/{id}", "http", 0.25)
OCR = System("ocr", "POST /pages", "http", 60.0, 0.6)


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    system: System
    reads: bool = False  # a look-up in a body of knowledge: retrieval


LOOKUP = Tool("lookup_customer", CRM)
SEARCH = Tool("search_help", HELP, reads=True)
BOOKINGS = Tool("get_bookings", CORE)
MOVE = Tool("change_address", CRM)
REFUND = Tool("issue_refund", PAYMENTS)
ASK = Tool("ask_customer", MAIL)
PROMISE = Tool("promise_refund", MAIL)
MATCH = Tool("match_sanctions", SANCTIONS)
PRESS = Tool("search_press", NEWS)
TRACE = Tool("trace_payment", SWIFT)
FETCH = Tool("fetch_documents", DOCUMENTS)
READ = Tool("read_pages", OCR)
HISTORY = Tool("get_account_history", CORE)
FILE = Tool("file_contract", DOCUMENTS)


@dataclass(frozen=True, slots=True)
class Role:
    """An AI agent. Each runs in a program of its own, with an exporter of its own."""

    name: str
    service: str
    version: str
    provider: str
    model: str
    speech: Speech
    thinks_s: float = 1.4


CUSTOMER_SERVICE = Role("customer-service", "customer-service", "3.2.0", "openai", "gpt-4.1-mini", GenAI(), 1.0)
BILLING = Role("billing", "billing", "1.9.4", "anthropic", "claude-sonnet-4-5-20250929", OlderGenAI(), 1.9)
REFUNDS = Role("refund", "refunds", "0.8.1", "google", "gemini-2.5-flash", OpenInference())
KYC = Role("kyc-screener", "kyc", "2.4.0", "openai", "gpt-4.1", GenAI(), 1.6)
READER = Role("document-reader", "lending-documents", "1.3.2", "openai", "gpt-4o-mini", OpenInference(), 2.2)
ANALYST = Role("credit-analyst", "lending", "4.0.1", "anthropic", "claude-sonnet-4-5-20250929", GenAI(), 3.4)
TRACER = Role("payment-tracer", "payments-desk", "2.1.0", "anthropic", "claude-haiku-4-5", GenAI(), 1.2)
ROLES = (CUSTOMER_SERVICE, BILLING, REFUNDS, KYC, READER, ANALYST, TRACER)


@dataclass(frozen=True, slots=True)
class Robot:
    """Something automated that knows no tracing and tells what it does by events. It says that it lives each
    `beats_s`; one that `falters` falls silent now and then."""

    name: str
    service: str
    beats_s: float
    falters: bool = False

    @property
    def agent(self) -> str:
        return f"{self.service}/{self.name}"


ENTRY_BOT = Robot("entry-bot", "invoice-entry", 2.0, falters=True)
LIMITS_ENGINE = Robot("limits-engine", "rules", 10.0)
PAYOUT_SCRIPT = Robot("reconcile-payouts", "cron", 30.0)
LOAN_PROCESS = Robot("loan-process", "loan-desk", 10.0)
ROBOTS = (ENTRY_BOT, LIMITS_ENGINE, PAYOUT_SCRIPT, LOAN_PROCESS)
