"""The number plan on pages: searched, tested, edited, imported, exported."""

import html
import re

from tests.web.rates.test_rate_groups import send
from tests.web.serving import SignIn, following

SHEET = "Prefijo;Zona;Tipo;País\n5690-5692;Chile móvil;Móvil;CL\n+56 2;Santiago;Fijo;CL\n"


def test_entries_are_imported_tried_changed_and_taken_out(
    site: str, database_url: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/number-plan/import").text)
    assert token
    with following(database_url):
        preview = client.post(
            "/number-plan/import",
            data={"csrf": token[1]},
            files={"file": ("plan.csv", SHEET.encode())},
        ).text
        applied = re.search(r'action="(/imports/[^"]+)"', preview)
        assert applied, preview
        send(client, applied[1])
        assert "4 entries in all" in client.get("/number-plan").text
        tried = client.get("/number-plan", params={"test": "+56 91 234", "in": "ES"}).text
        assert "Chile móvil" in tried
        assert "by the prefix 5691" in tried
        entry = {"prefix": "5691", "area": "Entel", "type": "mobile", "country": "CL"}
        send(client, "/number-plan/entry", **entry, layer="number-plan:imported")
        assert "Entel" in client.get("/number-plan?test=%2B5691234").text
        gone = {"prefix": "5691", "country": "CL", "since": "1970-01-01T00:00:00+00:00"}
        send(client, "/number-plan/remove", layer="number-plan:imported", **gone)
    assert "No match for" in client.get("/number-plan?test=%2B5691234").text
    assert "5690,Chile móvil,mobile,CL" in client.get("/number-plan/export.csv").text
    assert ">Santiago<" in client.get("/number-plan?type=landline&q=56").text


def test_wrong_rows_and_wrong_entries_are_told(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    answer = send(client, "/number-plan/entry", prefix="x", area="", type="?", layer="")
    assert answer.status_code == 422
    assert "is not a prefix" in answer.text


def test_the_seed_is_shown_and_then_made_for_the_countries_of_the_devices(
    site: str, database_url: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    with following(database_url):
        assert 'value="ES"' in client.get("/number-plan/seed").text
        wrong = send(client, "/number-plan/seed", countries="ES, XX", language="es")
        assert wrong.status_code == 422
        assert "XX is not a country code." in html.unescape(wrong.text).replace("'", "")
        wanted = {"countries": "cl, PE", "language": "es"}
        shown = send(client, "/number-plan/seed", **wanted)
        assert shown.status_code == 200
        assert "Replace the built-in plan" in shown.text
        assert "<dt>Mobile</dt>" in shown.text
        assert "No match for" in client.get("/number-plan?test=5184123456").text
        made = send(client, "/number-plan/seed", **wanted, write="yes")
        assert made.status_code == 303
        assert "Cusco" in client.get("/number-plan?test=5184123456").text
