"""Uploads are read by other processes: one that hangs or dies keeps no page from answering."""

import html
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil

from billing.web.services.sheets import AT_ONCE
from tests.web.serving import SignIn

SHEET = "Prefijo;Zona\n" + "".join(f"{number};Zona\n" for number in range(60_000))
ADVICE = "needs more time or memory than a spreadsheet may. Save its values as .csv, or split it"
TOO_LONG = "There are more than 50001 rows."


def readers() -> dict[int, psutil.Process]:
    """The processes that read sheets now, by their numbers."""
    children = psutil.Process().children()
    return {each.pid: each for each in children if "billing.sheets" in each.cmdline()}


def test_pages_answer_while_readers_hang_and_a_dead_one_is_a_refusal(
    site: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    page = client.get("/number-plan/import").text
    token = re.findall(r'name="csrf" value="([^"]+)"', page)[0]

    def send() -> httpx.Response:
        file = {"file": ("plan.csv", SHEET.encode())}
        return client.post("/number-plan/import", data={"csrf": token}, files=file, timeout=60)

    with ThreadPoolExecutor(AT_ONCE + 1) as threads:
        answers = [threads.submit(send) for _ in range(AT_ONCE + 1)]
        stopped: dict[int, psutil.Process] = {}
        try:
            while len(stopped) < AT_ONCE and not all(answer.done() for answer in answers):
                for number, process in readers().items():
                    process.suspend()  # it hangs
                    stopped[number] = process
            for path in ("/healthz", "/companies", "/number-plan", "/number-plan/import"):
                assert client.get(path).status_code == 200
            assert not any(answer.done() for answer in answers)
            assert readers().keys() == stopped.keys(), "the third waits"
        finally:
            for process in stopped.values():
                process.kill()
        said = [html.unescape(answer.result().text) for answer in answers]
    assert [answer.result().status_code for answer in answers] == [422] * len(answers)
    assert sum(ADVICE in text for text in said) == AT_ONCE
    assert sum(TOO_LONG in text for text in said) == 1
