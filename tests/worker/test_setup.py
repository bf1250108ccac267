"""init, the settings file, keys and the binding."""

import json
import stat
from dataclasses import dataclass

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from typer.testing import CliRunner

from protocol.messages import Binding
from protocol.signing import address_of
from tests.worker.desk import DOMAIN, Desk, ask
from tests.worker.fake_market import DEVICE, OTHER
from worker import agreed, keystore
from worker.asks import middle_of
from worker.cli import app
from worker.errors import KeyUnusable, SettingsInvalid
from worker.exits import Exit
from worker.keystore import create_keystore, device_address, find_passphrase, load_key, new_passphrase
from worker.owner import binding_to_sign
from worker.settings import FILE, Settings, load_settings, table_of

OWNER = address_of(OTHER)


@pytest.fixture
def desk():
    served = Desk()
    yield served
    served.close()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A state folder with a bare device key: making a keystore takes a second."""
    monkeypatch.setattr(keystore, "_from_keyring", lambda _: None)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "state"
    path.mkdir()
    for name, key in (("device", DEVICE), ("owner", OTHER)):
        (path / f"{name}.key").touch(0o600)
        (path / f"{name}.key").write_text(key.hex())
    return path


def invoke(folder, *arguments, status=Exit.OK, answers=None):
    command, *rest = arguments
    done = CliRunner().invoke(app, [command, "--state-dir", str(folder), *rest], input=answers)
    assert done.exit_code == status, done.output
    return done


def init(folder, desk, *arguments, **options):
    device = ("--market", desk.url, "--keystore", str(folder / "device.key"))
    return invoke(folder, "init", *device, *arguments, **options)


# --- nothing before a yes


def test_init_that_is_declined_or_cannot_ask_leaves_nothing(folder, desk):
    before = sorted(folder.iterdir())
    answers = f"{desk.url}\n5\n1\ndedicated\n{OWNER}\n\nn\n"
    said = init(folder, desk, status=Exit.DECLINED, answers=answers).output
    assert "Inputs and outputs of tasks are public" in said
    assert "Set this device up?" in said
    init(folder, desk, status=Exit.DECLINED, answers="")
    assert sorted(folder.iterdir()) == before
    assert desk.bound == []


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--owner", "0x12"), "owner"),
        (("--cpus", "0"), "processors"),
        (("--min-price", "-1"), "price"),
        (("--policy", "nights"), "no policy"),
        (("--market", "http://market.example"), "https"),
        (("--network", "nothing.json"), "no local network"),
        (("--owner-signature", "0x12"), "owner"),
    ],
)
def test_init_with_what_cannot_be_used_says_what(folder, desk, options, error):
    assert error in init(folder, desk, "--yes", *options, status=Exit.FAILED).output
    assert not (folder / FILE).exists()


def test_init_without_a_market_that_answers_does_nothing(folder):
    options = ("--market", "http://127.0.0.1:9", "--keystore", str(folder / "device.key"))
    assert "MarketUnreachable" in invoke(folder, "init", "--yes", *options, status=Exit.FAILED).output
    assert not (folder / FILE).exists()


def test_init_refuses_other_contracts_than_were_agreed_to(folder, desk):
    init(folder, desk, "--yes", "--owner", OWNER)
    desk.network["addresses"]["StakeVault"] = "0x" + "33" * 20
    said = init(folder, desk, "--yes", status=Exit.FAILED).output
    assert "StakeVault" in said
    assert str(folder / agreed.FILE) in said
    assert agreed.kept(folder).deployment.address("StakeVault") == "0x" + "22" * 20


# --- the price


def test_init_without_a_price_takes_the_middle_of_what_others_ask(folder, desk):
    said = init(folder, desk, "--yes", "--owner", OWNER).output
    assert "5 live devices ask 30 wei" in said
    assert load_settings(folder, {}).min_price_wei_per_gwu == 30
    desk.book["asks"] = [ask(7, 1)]
    init(folder, desk, "--yes", "--owner", OWNER)
    assert load_settings(folder, {}).min_price_wei_per_gwu == 30, "what was set stays"


def test_init_without_a_price_where_nobody_offers_is_refused(folder, desk):
    desk.book["asks"] = []
    assert "--min-price" in init(folder, desk, "--yes", "--owner", OWNER, status=Exit.FAILED).output
    assert "Nobody offers" in init(folder, desk, status=Exit.DECLINED, answers=f"{desk.url}\n\n\n").output
    assert not (folder / FILE).exists()
    init(folder, desk, "--yes", "--owner", OWNER, "--min-price", "9")
    assert load_settings(folder, {}).min_price_wei_per_gwu == 9


def test_init_proposes_the_middle_and_takes_an_empty_answer_for_it(folder, desk):
    answers = f"{desk.url}\n\n1\ndedicated\n{OWNER}\n\ny\n"
    assert "[30]" in init(folder, desk, answers=answers).output
    assert load_settings(folder, {}).min_price_wei_per_gwu == 30


def test_run_without_a_price_is_refused(folder, desk):
    options = ("--market", desk.url, "--keystore", str(folder / "device.key"))
    assert "no price" in invoke(folder, "run", *options, status=Exit.FAILED).output


@pytest.mark.parametrize(
    ("levels", "middle"),
    [([(1, 1)], 1), ([(1, 1), (2, 1)], 1), ([(1, 1), (2, 1), (3, 1)], 2), ([(1, 1), (9, 2)], 9), ([(1, 2), (9, 2)], 1)],
)
def test_middle_of_counts_devices_and_half_of_them_ask_no_more(levels, middle):
    assert middle_of({"asks": [ask(*level) for level in levels]}) == (middle, sum(number for _, number in levels))


@pytest.mark.parametrize(
    "book",
    [
        [],
        {},
        {"asks": None},
        {"asks": "12"},
        {"asks": [1]},
        {"asks": [ask(-1, 1)]},
        {"asks": [ask(1, 0)]},
        {"asks": [ask(2**128, 1)]},
        {"asks": [ask("1" * 5_000, 1)]},
        {"asks": [ask(1, float("inf"))]},
    ],
)
def test_init_on_a_market_with_a_book_of_nonsense_says_so(folder, desk, book):
    desk.book = book
    assert "no order book" in init(folder, desk, "--yes", "--owner", OWNER, status=Exit.FAILED).output
    assert not (folder / FILE).exists()


# --- the binding


def test_init_with_the_owners_key_binds_at_once(folder, desk):
    options = ("--owner-keystore", str(folder / "owner.key"), "--min-price", "7", "--cpus", "2", "--json")
    said = json.loads(init(folder, desk, "--yes", *options).stdout)
    assert (said["device"], said["owner"], said["binding"]) == (address_of(DEVICE), OWNER, "sent")
    assert desk.bound == [Binding(address_of(DEVICE), OWNER)]
    settings = load_settings(folder, {})
    assert (settings.owner, settings.min_price_wei_per_gwu, settings.cpus) == (OWNER, 7, 2)
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600


def test_init_asks_and_takes_answers_from_the_terminal(folder, desk):
    answers = f"{desk.url}\n12\n1\ndedicated\n{OWNER}\nhttp://127.0.0.1:8545\ny\n"
    said = init(folder, desk, answers=answers).output
    assert "Its owner has to agree" in said
    settings = load_settings(folder, {})
    assert settings == Settings(
        (desk.url,), folder / "device.key", folder, 12, 1, owner=OWNER, rpc_url="http://127.0.0.1:8545"
    )


def test_binding_signed_in_a_wallet_elsewhere(folder, desk):
    printed = init(folder, desk, "--yes", "--owner", OWNER, "--print-binding").stdout
    message = encode_typed_data(full_message=json.loads(printed))
    wrong = Account.sign_message(message, DEVICE).signature.hex()
    invoke(folder, "init", "--owner-signature", f"0x{wrong}", status=Exit.FAILED)
    assert desk.bound == []
    right = Account.sign_message(message, OTHER).signature.hex()
    invoke(folder, "init", "--owner-signature", f"0x{right}")
    assert desk.bound == [Binding(address_of(DEVICE), OWNER)]
    assert load_settings(folder, {}).binding_file is not None
    assert invoke(folder, "init", "--print-binding").stdout == printed


def test_binding_to_sign_has_the_digest_that_the_contracts_check():
    binding = Binding(address_of(DEVICE), OWNER)
    signed = Account.sign_typed_data(OTHER, full_message=binding_to_sign(binding, DOMAIN))
    binding.check_signature(DOMAIN, bytes(signed.signature), OWNER)


@pytest.fixture
def quick_keystores(monkeypatch):
    """The same keystores, but for the work that a guess of the passphrase takes."""
    encrypt = Account.encrypt
    monkeypatch.setattr(Account, "encrypt", lambda key, passphrase: encrypt(key, passphrase, iterations=2))


def test_init_of_a_new_owner_makes_both_keystores(folder, desk, monkeypatch, quick_keystores):
    monkeypatch.setenv(keystore.PASSPHRASE_VARIABLE, "long enough")
    options = ("--market", desk.url, "--new-owner", "--yes")
    invoke(folder, "init", *options)
    settings = load_settings(folder, {})
    assert [binding.owner for binding in desk.bound] == [settings.owner]
    for path in (settings.key_file, settings.owner_key_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert load_key(path).address == device_address(path)
    invoke(folder, "init", "--yes")
    assert load_settings(folder, {}) == settings


def test_init_on_a_local_network_takes_market_and_rpc_from_its_file(folder, desk, tmp_path):
    path = tmp_path / "var" / "run" / "network.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"api": desk.url, "rpc": "http://127.0.0.1:1"}))
    invoke(folder, "init", "--yes", "--keystore", str(folder / "device.key"), "--owner", OWNER)
    settings = load_settings(folder, {})
    assert (settings.markets, settings.rpc_url) == ((desk.url,), "http://127.0.0.1:1")


def test_market_that_does_not_answer_is_passed_over(desk):
    assert agreed.ask(["http://127.0.0.1:9", desk.url]).deployment.chain_id == 31337


@pytest.mark.parametrize(
    "change", [{"addresses": None}, {"blobs": "http://blobs.example"}, {"settler": "me"}, {"chain_id": "x"}]
)
def test_network_that_is_none_is_refused(folder, desk, change):
    desk.network |= change
    init(folder, desk, "--yes", status=Exit.FAILED)
    assert not (folder / FILE).exists()


# --- the settings file


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('market = "https://m.example"', "unknown key market"),
        ("state_dir = '/tmp'", "unknown key state_dir"),
        ('markets = "https://m.example"', "markets"),
        ("markets = [1]", "markets"),
        ('cpus = "two"', "cpus"),
        ("cpus = true", "cpus"),
        ("[policy]\nsometimes = true", r"\[policy\]: unknown key sometimes"),
        ("policy = 3", "not a table"),
        ("cpus = = 2", "settings.toml"),
        ("cpus = 1\n\xff", "settings.toml"),
    ],
)
def test_settings_file_that_cannot_be_meant_is_refused(tmp_path, text, error):
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsInvalid, match=error):
        load_settings(tmp_path, {})


def test_options_go_over_the_file_and_the_file_over_what_is_given(tmp_path):
    Settings(("https://m.example",), tmp_path / "a b", tmp_path, 10**30, 3, owner='"\\', auto_claim_wei=0).write()
    settings = load_settings(tmp_path, {"cpus": 2, "memory_pages": None})
    assert settings.markets == ("https://m.example",)
    assert (settings.cpus, settings.memory_pages, settings.min_price_wei_per_gwu) == (2, None, 10**30)
    assert (settings.key_file, settings.owner, settings.auto_claim_wei) == (tmp_path / "a b", '"\\', 0)


def test_table_of_reads_every_kind_of_wish():
    @dataclass(frozen=True)
    class Wished:
        idle_only: bool = False
        share: float = 1.0
        hours: str | None = None
        days: tuple[str, ...] = ()

    assert table_of(Wished, {"share": 1, "days": ["mon"], "hours": "0-7"}, "x") == Wished(False, 1.0, "0-7", ("mon",))
    with pytest.raises(SettingsInvalid, match="x: idle_only"):
        table_of(Wished, {"idle_only": 1}, "x")


# --- passphrases


def test_passphrase_file_that_others_may_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "pass"
    path.write_text("long enough\n")
    monkeypatch.setenv(keystore.PASSPHRASE_FILE_VARIABLE, str(path))
    path.chmod(0o644)
    with pytest.raises(KeyUnusable, match="0600"):
        find_passphrase(tmp_path / "key", "0x")
    path.chmod(0o600)
    assert find_passphrase(tmp_path / "key", "0x") == new_passphrase(tmp_path / "key") == "long enough"
    path.unlink()
    with pytest.raises(KeyUnusable, match="cannot be read"):
        find_passphrase(tmp_path / "key", "0x")


@pytest.mark.parametrize(
    ("typed", "error"), [(["short"], "at least"), (["long enough", "other one"], "differ"), (["long enough"] * 2, None)]
)
def test_new_passphrase_is_asked_for_twice(tmp_path, monkeypatch, typed, error):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _: typed.pop(0))
    if error is None:
        assert new_passphrase(tmp_path) == "long enough"
        return
    with pytest.raises(KeyUnusable, match=error):
        new_passphrase(tmp_path)


def test_keystore_says_its_address_without_the_passphrase(tmp_path, quick_keystores):
    path = tmp_path / "deep" / "device.json"
    made = create_keystore(path, "long enough")
    assert device_address(path) == made.address
    path.write_text("{}")
    with pytest.raises(KeyUnusable):
        device_address(path)
