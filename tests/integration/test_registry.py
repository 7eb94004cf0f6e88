"""The champion comes out of a real MLflow registry, or its absence has a name; MLflow's own loader answers the same."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.records import ValueShape
from serving import wiring
from serving.errors import BadInput, BundleCorrupt, ContractMismatch, NoChampion, RegistryUnreachable
from serving.model import Bundle
from serving.registry import campaigns_of_frame, champion, frame_of
from serving.settings import Settings
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.integration.registries import registered
from tests.worlds import campaign, small_world

pytestmark = pytest.mark.integration

AT = TRAINED_AT + timedelta(hours=5)
WEEK = {"released_at": TRAINED_AT, "ends_at": TRAINED_AT + timedelta(days=7)}
ASKED = [
    campaign(
        "plain", kind="kind1", released_at=TRAINED_AT, ends_at=TRAINED_AT + timedelta(days=5), targets={"p3": 4.0}
    ),
    campaign(
        "full",
        kind="kind2",
        released_at=TRAINED_AT,
        launch_by=TRAINED_AT + timedelta(days=1),
        ends_at=TRAINED_AT + timedelta(days=9),
        targets={"p1": 2.0, "p7": 1.0},
        value_shape=ValueShape.DEADLINE,
        late_fraction=0.4,
        urgency=0.3,
        tags=("a", "b"),
        after=("plain",),
    ),
    campaign(
        "new", kind="never seen", channel="pigeon", released_at=TRAINED_AT, ends_at=TRAINED_AT + timedelta(days=2)
    ),
]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return tiny_bundle(small_world())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def uri(bundle: Bundle, place: Path) -> str:
    uri = f"sqlite:///{place / 'mlflow.db'}"
    registered(uri, bundle, place / "bundle")
    return uri


def test_the_champion_answers_as_the_bundle_that_was_registered(uri: str, bundle: Bundle, tmp_path: Path) -> None:
    fetched = champion(uri, cache_dir=tmp_path)
    assert fetched.identity.version == "1"
    assert fetched.predict(ASKED, AT) == bundle.predict(ASKED, AT)


def test_a_second_look_finds_the_download_in_place(uri: str, tmp_path: Path) -> None:
    champion(uri, cache_dir=tmp_path)
    [kept] = tmp_path.iterdir()
    before = kept.stat().st_mtime_ns
    champion(uri, cache_dir=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [kept.name]
    assert kept.stat().st_mtime_ns == before


def test_a_plain_session_that_knows_only_the_uri_answers_the_same(uri: str, bundle: Bundle, tmp_path: Path) -> None:
    frame_of(ASKED).to_parquet(tmp_path / "asked.parquet")
    script = """if True:
        import sys, mlflow, pandas
        uri, asked, answers, at = sys.argv[1:]
        mlflow.set_tracking_uri(uri)
        model = mlflow.pyfunc.load_model("models:/campaign-priority@champion")
        frame = pandas.read_parquet(asked)
        by_parameter = model.predict(frame, params={"at": at})
        by_column = model.predict(frame.assign(at=at))
        pandas.testing.assert_frame_equal(by_parameter, by_column)
        whole = frame.assign(work_units=frame.work_units.astype("int64"))
        pandas.testing.assert_frame_equal(model.predict(whole, params={"at": at}), by_parameter)
        assert not model.predict(frame).equals(by_column)  # then it answers as of the snapshot
        few = frame[["campaign_id", "account", "kind", "channel", "released_at", "ends_at", "work_units", "targets"]]
        pandas.testing.assert_frame_equal(model.predict(few[:1].assign(at=at)), by_column[:1])
        by_column.to_parquet(answers)
    """
    answers = tmp_path / "answers.parquet"
    subprocess.run(
        [sys.executable, "-c", script, uri, str(tmp_path / "asked.parquet"), str(answers), AT.isoformat()],
        check=True,
        cwd=tmp_path,
    )
    found = pd.read_parquet(answers)
    expected = bundle.predict(ASKED, AT)
    assert found.campaign_id.tolist() == ["plain", "full", "new"]
    for column, wanted in {
        "score": [p.score for p in expected],
        "index": [p.index for p in expected],
        "value": [p.value for p in expected],
        "loss_per_hour": [p.loss_per_hour for p in expected],
        "processing_p50_s": [p.processing_s.p50 for p in expected],
        "processing_p90_s": [p.processing_s.p90 for p in expected],
    }.items():
        assert found[column].tolist() == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    assert found.fallback.notna().tolist() == [False, False, True]


def test_a_registry_without_a_champion_says_how_to_get_one(uri: str, tmp_path: Path) -> None:
    with pytest.raises(NoChampion, match="has no 'campaign-priority' with alias 'challenger': train one"):
        champion(uri, cache_dir=tmp_path, alias="challenger")
    with pytest.raises(NoChampion, match="has no 'other-model'"):
        champion(uri, cache_dir=tmp_path, name="other-model")


def test_a_registry_that_was_never_made_has_no_champion_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NoChampion):
        champion(f"sqlite:///{tmp_path}/none.db", cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_registry_nobody_answers_for_is_unreachable(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(RegistryUnreachable, match=f"model registry {uri} is unreachable"):
            champion(uri, cache_dir=tmp_path)


def test_a_service_without_its_registry_starts_with_the_matrix_and_says_why(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{unused.getsockname()[1]}"
        [answer] = wiring.reign(Settings.read(tracking_uri=uri, home=tmp_path)).model().predict(ASKED[:1], AT)
    assert answer.fallback.startswith(f"model registry {uri} is unreachable")


def test_a_file_that_is_no_database_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to have a header " * 20)
    with pytest.raises(RegistryUnreachable):
        champion(f"sqlite:///{tmp_path}/mlflow.db", cache_dir=tmp_path / "models")


def test_a_corrupt_download_is_named(uri: str, tmp_path: Path) -> None:
    champion(uri, cache_dir=tmp_path)
    [model] = tmp_path.rglob("model.txt")
    model.write_text("tree\n")
    with pytest.raises(BundleCorrupt, match=r"bundle file model\.txt is not the file that was saved"):
        champion(uri, cache_dir=tmp_path)


def test_a_champion_of_another_contract_is_refused(uri: str, tmp_path: Path) -> None:
    champion(uri, cache_dir=tmp_path)
    [metadata] = tmp_path.rglob("bundle.json")
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "contract": "9f2c"}))
    with pytest.raises(ContractMismatch, match="model expects feature contract 9f2c"):
        champion(uri, cache_dir=tmp_path)


def test_campaigns_survive_the_table() -> None:
    assert campaigns_of_frame(frame_of(ASKED)) == ASKED
    assert campaigns_of_frame(frame_of(ASKED, AT)) == ASKED


def test_a_wrong_row_of_the_table_is_named() -> None:
    frame = frame_of(ASKED)
    frame.loc[1, "work_units"] = -3.0
    with pytest.raises(BadInput, match=r"row 1\.work_units is -3\.0: must be greater than 0"):
        campaigns_of_frame(frame)
