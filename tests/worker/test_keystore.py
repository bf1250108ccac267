import json

import pytest
from eth_account import Account

from protocol.messages import Binding
from protocol.signing import address_of
from tests.worker.fake_market import DEVICE, DOMAIN, OTHER
from worker.errors import KeyUnusable, SettingsInvalid
from worker.keystore import DeviceKey, create_keystore, load_key
from worker.owner import load_owner
from worker.policy import Policy


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "device.key"
    path.write_text(DEVICE.hex() + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def v3_file(tmp_path):
    path = tmp_path / "device.json"
    path.write_text(json.dumps(Account.encrypt(DEVICE, "correct", kdf="pbkdf2", iterations=10)))
    return path


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_bare_key_that_others_may_read_is_refused(key_file, mode):
    key_file.chmod(mode)
    with pytest.raises(KeyUnusable, match="0600"):
        load_key(key_file)


@pytest.mark.parametrize("text", ["", "zz", "0x12", "0x" + "00" * 32, "ff" * 32])
def test_bare_key_that_is_no_key_is_refused(key_file, text):
    key_file.write_text(text)
    with pytest.raises(KeyUnusable):
        load_key(key_file)


def test_missing_key_is_refused(tmp_path):
    with pytest.raises(KeyUnusable, match="cannot be read"):
        load_key(tmp_path / "nowhere")


@pytest.mark.parametrize("prefix", ["", "0x"])
def test_bare_key_loads(key_file, prefix):
    key_file.write_text(prefix + DEVICE.hex())
    assert load_key(key_file).address == address_of(DEVICE)


def test_keystore_with_a_wrong_passphrase_is_refused(v3_file):
    with pytest.raises(KeyUnusable, match="another passphrase"):
        load_key(v3_file, "wrong")


def test_keystore_takes_the_passphrase_of_the_environment(v3_file, monkeypatch):
    monkeypatch.setenv("WORKER_PASSPHRASE", "correct")
    assert load_key(v3_file).address == address_of(DEVICE)


def test_keystore_without_a_passphrase_and_a_terminal_is_refused(v3_file, monkeypatch):
    monkeypatch.delenv("WORKER_PASSPHRASE", raising=False)
    monkeypatch.setattr("worker.keystore._from_keyring", lambda _: None)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(KeyUnusable, match="WORKER_PASSPHRASE"):
        load_key(v3_file)


@pytest.mark.slow
def test_created_keystore_loads_and_is_never_overwritten(tmp_path):
    path = tmp_path / "new.json"
    made = create_keystore(path, "secret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_key(path, "secret").address == made.address
    with pytest.raises(KeyUnusable):
        create_keystore(path, "secret")


def test_key_never_shows_itself(key_file):
    key = load_key(key_file)
    assert DEVICE.hex() not in repr(key) + str(vars(key).keys())


def test_owner_key_consents_to_the_binding(key_file):
    owner = load_owner(None, key_file, None)
    binding = Binding(address_of(OTHER), owner.address)
    binding.check_signature(DOMAIN, owner.sign(binding, DOMAIN), address_of(DEVICE))


def test_owner_other_than_the_one_asked_for_is_refused(key_file):
    with pytest.raises(SettingsInvalid, match="is to be"):
        load_owner(address_of(OTHER), key_file, None)


def test_consent_given_elsewhere_is_for_one_device_and_network(tmp_path):
    binding = Binding(address_of(DEVICE), address_of(OTHER))
    path = tmp_path / "binding.json"
    signature = DeviceKey(OTHER).sign(binding, DOMAIN)
    path.write_text(json.dumps({"owner": address_of(OTHER), "ownerSignature": "0x" + signature.hex()}))
    owner = load_owner(None, None, path)
    assert owner.sign(binding, DOMAIN) == signature
    with pytest.raises(SettingsInvalid):
        owner.sign(Binding(address_of(OTHER), address_of(OTHER)), DOMAIN)


def test_no_consent_means_no_owner():
    assert load_owner(address_of(OTHER), None, None) is None


@pytest.mark.parametrize(
    ("price", "cpus", "pages"), [(-1, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 65_537), (1 << 128, 1, 1)]
)
def test_policy_outside_its_bounds_is_refused(tmp_path, price, cpus, pages):
    with pytest.raises(SettingsInvalid):
        Policy(tmp_path, price, cpus, pages)
