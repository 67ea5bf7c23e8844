"""The cast: who works here, in which program, with which model, on which systems."""

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
HELP = System("kb", "POST /search", "http", 0.2)
LEDGER = System("billing-db", "SELECT invoices", "postgresql", 0.3, 0.9)  # mostly quick, sometimes very slow
PAYMENTS = System("payments", "POST /refunds", "http", 0.9, 0.5)


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    system: System
    reads: bool = False  # a look-up in a body of knowledge: retrieval


LOOKUP = Tool("lookup_customer", CRM)
SEARCH = Tool("search_help", HELP, reads=True)
INVOICE = Tool("get_invoice", LEDGER)
REFUND = Tool("issue_refund", PAYMENTS)


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
BILLING = Role("billing", "billing", "1.9.4", "anthropic", "claude-sonnet-4-5", OlderGenAI(), 1.9)
REFUNDS = Role("refund", "refunds", "0.8.1", "google", "gemini-2.5-flash", OpenInference())
ROLES = (CUSTOMER_SERVICE, BILLING, REFUNDS)


@dataclass(frozen=True, slots=True)
class Robot:
    """Something automated that knows no tracing and tells its runs by events."""

    name: str
    service: str
    workflow: str
    steps: tuple[tuple[str, str, float], ...]  # name, system, usual seconds
    every_s: float
    beats_s: float


ENTRY_BOT = Robot(
    "entry-bot",
    "invoice-entry",
    "invoice entry",
    (("read mail", "mailbox", 2.0), ("read invoice", "ocr", 6.0), ("type into ledger", "erp", 14.0)),
    every_s=75.0,
    beats_s=5.0,
)
PAYOUT_SCRIPT = Robot(
    "reconcile-payouts",
    "cron",
    "payout reconciliation",
    (("fetch payouts", "payments", 3.0), ("compare with ledger", "billing-db", 5.0), ("write report", "files", 0.6)),
    every_s=300.0,
    beats_s=30.0,
)
ROBOTS = (ENTRY_BOT, PAYOUT_SCRIPT)
