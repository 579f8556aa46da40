import polars as pl
import pytest

from driftrec.envs.logs import LogError, load_log, read_kuairand_pure, read_log

EVENTS = "log_standard_4_25_to_5_08.parquet"
ITEMS = "video_features_basic.parquet"
START = 1_650_900_000_000


@pytest.fixture
def folder(tmp_path):
    rows = {
        "user_id": [4, 4, 5],
        "video_id": [8, 9, 8],
        "time_ms": [START, START + 43_200_000, START + 86_400_000],
        "is_click": [1, 0, 0],
        "play_time_ms": [500, 10, 0],
        "duration_ms": [1000, 0, 1000],
        "tab": [1, 1, 6],
    }
    pl.DataFrame(rows).write_parquet(tmp_path / EVENTS)
    pl.DataFrame({"video_id": [7, 8, 9], "tag": ["1", "2,3", None]}).write_parquet(tmp_path / ITEMS)
    return tmp_path


def test_a_small_log_in_the_same_layout(folder):
    log, report = load_log(folder)
    assert log.name == "KuaiRand"
    assert log.user_ids[log.user].tolist() == [4, 4, 5]
    assert log.item_ids[log.item].tolist() == [8, 9, 8]
    assert log.time.tolist() == [0, 0.5, 1.0]
    assert log.feedback.tolist() == [1, 0, 0]
    assert log.surface.tolist() == [1, 1, 6]
    assert log.watch_ratio[[0, 2]].tolist() == [0.5, 0]
    assert report["impossible watch ratios"].changed == 1
    # Video 7 was never shown: neither it nor its tag is in the catalogue.
    assert log.topic_names == ("2", "3", "other")
    assert log.topics.tolist() == [[0.5, 0.5, 0], [0, 0, 1]]


@pytest.mark.parametrize("keep", [0.3, 0.99])
def test_a_truncated_file_is_refused(folder, keep):
    content = (folder / EVENTS).read_bytes()
    (folder / EVENTS).write_bytes(content[: int(keep * len(content))])
    with pytest.raises(LogError, match=rf"{EVENTS}: expected a Parquet file, got one that cannot"):
        read_log(folder)


def test_a_file_of_another_format_is_refused(folder):
    (folder / EVENTS).write_text("user_id,video_id\n1,2\n")
    with pytest.raises(LogError, match="truncated or of another format"):
        read_log(folder)


def test_an_empty_file_is_refused(folder):
    (folder / ITEMS).write_bytes(b"")
    with pytest.raises(LogError, match=rf"{ITEMS}: expected a Parquet file, got an empty file"):
        read_log(folder)


def test_a_missing_column_is_named(folder):
    pl.read_parquet(folder / EVENTS).drop("tab", "is_click").write_parquet(folder / EVENTS)
    with pytest.raises(LogError, match=r"is_click, tab missing, got user_id, video_id"):
        read_log(folder)


def test_a_file_without_rows_is_refused(folder):
    pl.read_parquet(folder / EVENTS).clear().write_parquet(folder / EVENTS)
    with pytest.raises(LogError, match="without any row"):
        read_log(folder)


def test_an_absent_folder_is_named(tmp_path):
    with pytest.raises(LogError, match=r"nowhere.*found nothing there"):
        read_kuairand_pure(tmp_path / "nowhere")
