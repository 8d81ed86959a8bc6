"""The extensions of a device on pages: assigned, moved, imported all or none, exported."""

import re
from unicodedata import normalize

import httpx

from billing.log.store import Store
from tests.web.rerating.test_rerating import post
from tests.web.serving import SignIn, following

PAGE = "/devices/clinica-pbx/extensions"


def send(client: httpx.Client, text: str, **fields: str) -> httpx.Response:
    token = re.findall(r'X-CSRF-Token":"([^"]+)', client.get("/calls").text)[0]
    return client.post(
        f"{PAGE}/import",
        data={"csrf": token, **fields},
        files={"file": ("lines.csv", text.encode())},
    )


def test_an_extension_is_assigned_moved_and_removed(
    site: str, sign_in: SignIn, database_url: str
) -> None:
    with following(database_url):
        client = sign_in(site)
        given = {"extension": "205", "account": "user:clinica-front", "valid_from": "2026-11-01"}
        assert post(client, PAGE, **given).status_code == 303
        assert "Recepción" in client.get(f"{PAGE}?q=205").text
        assert post(client, PAGE, extension="205", name="Bea").status_code == 303
        found = client.get(f"{PAGE}?q=bea").text
        assert "The company" in found[found.index(">205<") :]
        assert post(client, PAGE, extension="205", remove="yes").status_code == 303
        assert "No extensions match" in client.get(f"{PAGE}?q=205").text
        assert post(client, PAGE, extension="").status_code == 422


def test_a_sheet_is_imported_by_one_event_or_refused_with_every_wrong_row(
    site: str, sign_in: SignIn, database_url: str, store: Store
) -> None:
    head = "Extensión;Cuenta;Nombre;Válida desde\n"
    wrong = send(sign_in(site), head + ";;;\n7;nobody;;\n8;;;someday\n8;;;\n")
    assert wrong.status_code == 422
    for said in ("nobody, or more than one", "someday&#39; is not a date", "twice"):
        assert said in wrong.text
    rows = [f"{number};;Puesto {number};\n" for number in range(3000, 3400)]
    with following(database_url):
        client = sign_in(site)
        decomposed = normalize("NFD", "recepción")
        text = head + f"101;;Ana;\n3999; {decomposed} ;;2026-11-01\n" + "".join(rows)
        refused = send(client, text)
        assert refused.status_code == 422
        assert "This extension belongs to Recepción." in refused.text
        preview = send(client, text, move="yes")
        assert preview.status_code == 200, preview.text
        assert "Moves from Recepción" in preview.text
        token = re.findall(r'action="/imports/([^"]+)"', preview.text)[0]
        before = len(store.load("device:clinica-pbx"))
        assert post(client, f"/imports/{token}").status_code == 303
        assert len(store.load("device:clinica-pbx")) == before + 1
        exported = client.get(f"{PAGE}/export.csv").text
        assert len(exported.splitlines()) == 403
        assert "3999,Recepción,,,2026-11-01" in exported
        again = send(client, exported)
        assert (again.status_code, again.text.count("As it is")) == (200, 200)


def test_fifty_thousand_rows_are_taken_and_not_one_more(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    rows = "".join(f"{number}\n" for number in range(100_000, 150_000))
    assert send(client, f"Extensión\n{rows}").status_code == 200
    more = send(client, f"Extensión\n{rows}1\n")
    assert (more.status_code, "more than 5000" in more.text) == (422, True)
