"""The clock's and the nudges' way in. Messages carry nothing: what is to do is found in PostgreSQL."""

from __future__ import annotations

from celery import shared_task

from escalations import assigning, drafting, forgetting, intake, judged, regrouping, sampling, sending, sla, strength

LEARN_S = 300


@shared_task(ignore_result=True)
def take_in() -> int:
    found = intake.take_in()
    if found:
        assigning.match()
    return found


@shared_task(ignore_result=True)
def match() -> int:
    return assigning.match()


@shared_task(ignore_result=True)
def ring() -> int:
    return sla.sweep()


@shared_task(ignore_result=True)
def draw_samples() -> int:
    return sampling.sweep()


@shared_task(ignore_result=True)
def forget() -> int:
    return forgetting.sweep()


@shared_task(ignore_result=True)
def weigh() -> int:
    return strength.sweep()


@shared_task(ignore_result=True)
def send() -> int:
    return sending.deliver()


@shared_task(ignore_result=True)
def sweep_learning() -> int:
    return judged.sweep(regrouping.due())


@shared_task(ignore_result=True, acks_late=False, soft_time_limit=LEARN_S, time_limit=LEARN_S + 60)
def learn() -> int:
    """On a queue whose processes end with their task: what it needs to learn takes 150 MB."""
    acts = judged.learn()
    return len(acts) + sum(regrouping.relearnt(*act) for act in acts) + regrouping.regroup()


@shared_task(ignore_result=True)
def sweep_drafts() -> int:
    if not drafting.due():
        return 0
    draft.apply_async(expires=30)
    return 1


@shared_task(ignore_result=True, acks_late=False)
def draft() -> int:
    """On the queue of what may take long: an endpoint answers when it likes."""
    return drafting.sweep()
