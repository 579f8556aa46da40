import pytest

from driftrec.envs.logs import (
    LogError,
    load_log,
    prepare,
    read_log,
    read_movielens,
    read_movietweetings,
    read_recbole,
)

NOON = 1_370_000_000


@pytest.fixture
def ml100k(tmp_path):
    (tmp_path / "u.data").write_text(
        f"2\t11\t5\t{NOON + 86400}\n1\t12\t3\t{NOON}\n1\t11\t4\t{NOON + 43200}\n"
    )
    heading = "|01-Jan-1995||http://films|"
    flags = {11: "0|1" + "|0" * 15 + "|1|0", 12: "1" + "|0" * 18}
    titles = {11: "Caf\xe9", 12: "Lost\x85"}
    lines = [f"{item}|{titles[item]}{heading}{flags[item]}" for item in titles]
    (tmp_path / "u.item").write_bytes(("\n".join(lines) + "\n").encode("latin-1"))
    return tmp_path


@pytest.fixture
def ml1m(tmp_path):
    (tmp_path / "ratings.dat").write_text(f"7::3::5::{NOON}\r\n7::4::1::{NOON + 86400}\r\n")
    (tmp_path / "movies.dat").write_bytes(
        "3::Am\xe9lie: A Film (2001)::Comedy|Romance\n4::Alien (1979)::Horror\n".encode("latin-1")
    )
    return tmp_path


@pytest.fixture
def ml_latest(tmp_path):
    (tmp_path / "ratings.csv").write_text(
        f"userId,movieId,rating,timestamp\n1,5,3.5,{NOON}\n1,6,4.0,{NOON + 86400}\n"
    )
    (tmp_path / "movies.csv").write_text(
        'movieId,title,genres\n5,"Good, the Bad, The (1966)",Western\n6,Blank,(no genres listed)\n'
    )
    return tmp_path


@pytest.fixture
def recbole(tmp_path):
    (tmp_path / "shop.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        f"u2\ti9\t4\t{NOON}\nu10\ti9\t3.0\t{NOON + 43200}.0\n"
    )
    (tmp_path / "shop.item").write_text(
        'item_id:token\tmovie_title:token_seq\tclass:token_seq\ni9\tA "quoted name\tred blue\n'
    )
    return tmp_path


def test_ml100k(ml100k):
    log, report = load_log(ml100k)
    assert log.name == "ml-100k"
    assert log.user_ids[log.user].tolist() == [1, 1, 2]
    assert log.item_ids[log.item].tolist() == [12, 11, 11]
    assert log.time.tolist() == [0.0, 0.5, 1.0]
    assert log.rating.tolist() == [3, 4, 5]
    assert log.feedback.tolist() == [0, 1, 1]
    assert not log.has_skips
    # Item 11 is Action and War; item 12 is 'unknown', which is no genre.
    assert log.topic_names == ("Action", "War", "other")
    assert log.topics.tolist() == [[0.5, 0.5, 0], [0, 0, 1]]
    assert log.titles == ("Café", "Lost\x85")
    assert report["missing tags"].changed == 1


def test_ml1m(ml1m):
    log, _ = load_log(ml1m)
    assert log.name == "ml-1m"
    assert log.titles == ("Amélie: A Film (2001)", "Alien (1979)")
    assert log.topic_names == ("Comedy", "Horror", "Romance")
    assert log.topics.tolist() == [[0.5, 0, 0.5], [0, 1, 0]]
    assert log.feedback.tolist() == [1, 0]
    assert log.time.tolist() == [0, 1]


def test_ml_latest(ml_latest):
    log, report = load_log(ml_latest)
    assert log.name == "ml-latest"
    assert log.rating.tolist() == [3.5, 4.0]
    assert log.feedback.tolist() == [0, 1]
    assert log.titles == ("Good, the Bad, The (1966)", "Blank")
    assert log.topic_names == ("Western", "other")
    assert report["missing tags"].changed == 1


def test_movietweetings_is_told_from_ml1m_by_its_ids(tmp_path):
    (tmp_path / "ratings.dat").write_text(f"1::0000005::8::{NOON}\n1::0000006::7::{NOON}\n")
    (tmp_path / "movies.dat").write_text("0000005::Five::Drama\n0000006::Six::\n")
    log, _ = load_log(tmp_path)
    assert log.name == "Movies"
    assert log.feedback.tolist() == [1, 0]
    assert log.topic_names == ("Drama", "other")


def test_recbole_ratings(recbole):
    for path in (recbole, recbole / "shop.inter"):
        log, _ = load_log(path)
        assert log.name == "shop"
        assert log.user_ids.tolist() == ["u10", "u2"]
        assert log.time.tolist() == [0.5, 0.0]
        assert log.feedback.tolist() == [0, 1]
        assert log.topic_names == ("blue", "red")
        assert log.titles == ('A "quoted name',)
        assert not log.has_skips


def test_recbole_labels_are_clicks_and_skips(tmp_path):
    file = tmp_path / "feed.inter"
    file.write_text(
        "item_id:token\tlabel:float\tuser_id:token\ttimestamp:float\n"
        f"3\t0\t1\t{NOON}\n4\t1.0\t1\t{NOON + 1}\n"
    )
    log, report = prepare(read_recbole(file))
    assert log.feedback.tolist() == [0, 1]
    assert log.has_skips
    assert log.rating is None
    # Without an .item file there are no tags at all.
    assert log.topic_names == ("other",)
    assert report["missing tags"].changed == 2


def test_recbole_without_outcome_is_all_consumption(tmp_path):
    file = tmp_path / "plays.inter"
    file.write_text(f"user_id:token\titem_id:token\ttimestamp:float\n1\t3\t{NOON}\n")
    log, _ = prepare(read_recbole(file))
    assert log.feedback.tolist() == [1]
    assert not log.has_skips


@pytest.mark.parametrize(("top", "like_at", "likes"), [(5, None, 1), (10, None, 1), (100, 100, 1)])
def test_recbole_scale(tmp_path, top, like_at, likes):
    file = tmp_path / "x.inter"
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    file.write_text(header + f"1\t3\t{top}\t{NOON}\n1\t4\t{0.7 * top}\t{NOON}\n")
    log, _ = prepare(read_recbole(file, like_at))
    assert log.feedback.sum() == likes
    if like_at is not None:
        with pytest.raises(LogError, match="up to 5 or 10, got 100; give like_at"):
            read_recbole(file)


def test_a_time_cut_short_is_reported(ml1m):
    file = ml1m / "ratings.dat"
    file.write_text(f"7::3::5::{NOON}\n7::4::1::1370")
    log, report = load_log(ml1m)
    assert log.num_events == 1
    assert report["impossible times"].changed == 1


def test_a_line_cut_short_is_refused(ml100k):
    (ml100k / "u.data").write_text(f"2\t11\t5\t{NOON}\n1\t12\t")
    with pytest.raises(LogError, match=r"u\.data, line 2: expected 4 fields .*got 3: '1\\t12\\t'"):
        read_movielens(ml100k, "ml-100k")


def test_another_separator_is_refused(ml100k):
    (ml100k / "u.data").write_text(f"2,11,5,{NOON}\n")
    with pytest.raises(LogError, match=r"separated by '\\t' \(user, item, rating, time\), got 1"):
        read_movielens(ml100k, "ml-100k")


def test_a_csv_with_another_separator_is_refused(ml_latest):
    (ml_latest / "ratings.csv").write_text(f"userId;movieId;rating;timestamp\n1;5;3.5;{NOON}\n")
    with pytest.raises(LogError, match=r"ratings\.csv: expected the columns userId, .*missing"):
        read_log(ml_latest)


@pytest.mark.parametrize("row", ["1,6,4.0", "1,6", "1,6,,1370000000", "one,6,4.0,1370000000"])
def test_a_csv_row_with_a_hole_is_refused(ml_latest, row):
    with (ml_latest / "ratings.csv").open("a") as file:
        file.write(row + "\n")
    with pytest.raises(LogError, match=r"ratings\.csv, line 4: expected (userId|rating|timestamp)"):
        read_log(ml_latest)


def test_a_csv_row_with_too_much_is_refused(ml_latest):
    with (ml_latest / "ratings.csv").open("a") as file:
        file.write(f"1,6,4.0,{NOON},9\n")
    with pytest.raises(LogError, match=r"ratings\.csv: expected text fields separated by ','"):
        read_log(ml_latest)


@pytest.mark.parametrize(("rating", "came"), [("nan", "got nan in event 1"), ("11", "got 11.0")])
def test_a_rating_off_the_scale_is_refused(tmp_path, rating, came):
    (tmp_path / "ratings.dat").write_text(f"1::5::8::{NOON}\n1::6::{rating}::{NOON}\n")
    (tmp_path / "movies.dat").write_text("0000005::Five::Drama\n")
    with pytest.raises(LogError, match=rf"ratings\.dat: expected ratings from 0 to 10, {came}"):
        read_movietweetings(tmp_path)


def test_a_rating_that_is_no_number_is_refused(ml1m):
    (ml1m / "ratings.dat").write_text(f"7::3::5::{NOON}\n\n7::4::five::{NOON}\n")
    with pytest.raises(LogError, match=r"line 3: expected rating of type Float64, got 'five'"):
        read_log(ml1m)


def test_text_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "ratings.dat").write_text(f"1::5::8::{NOON}\n")
    (tmp_path / "movies.dat").write_bytes(b"0000005::Caf\xe9::Drama\n")
    with pytest.raises(LogError, match=r"movies\.dat: expected text in utf-8"):
        read_log(tmp_path)


def test_empty_and_absent_files_are_named(ml1m):
    (ml1m / "movies.dat").write_bytes(b"")
    with pytest.raises(LogError, match=r"movies\.dat: .*got an empty file"):
        read_log(ml1m)
    (ml1m / "movies.dat").unlink()
    with pytest.raises(LogError, match=r"movies\.dat: .*found nothing there"):
        read_log(ml1m)
    (ml1m / "ratings.dat").write_bytes(b"\n\n")
    with pytest.raises(LogError, match=r"ratings\.dat: expected lines of user::item.* only blank"):
        read_log(ml1m)


def test_recbole_lacking_columns_are_named(tmp_path):
    file = tmp_path / "x.inter"
    file.write_text("user_id:token\titem_id:token\trating:float\n1\t2\t3\n")
    with pytest.raises(LogError, match=r"timestamp:float; timestamp missing, got user_id:token"):
        read_recbole(file)
    file.write_text("user_id,item_id,timestamp\n1,2,3\n")
    with pytest.raises(LogError, match="user_id, item_id, timestamp missing"):
        read_recbole(file)
    file.write_text("user_id:token\titem_id:token\ttimestamp:float\n")
    with pytest.raises(LogError, match="without any row"):
        read_recbole(file)
    file.write_bytes(b"")
    with pytest.raises(LogError, match="empty file"):
        read_recbole(file)


def test_a_folder_with_two_recbole_logs_is_ambiguous(recbole):
    (recbole / "second.inter").write_text("x")
    with pytest.raises(LogError, match=r"one \.inter file, found second\.inter, shop\.inter"):
        read_log(recbole)


def test_recbole_items_need_their_id(recbole):
    (recbole / "shop.item").write_text("name:token\nx\n")
    with pytest.raises(LogError, match=r"shop\.item: expected the column item_id:token, got name"):
        read_log(recbole)


def test_what_is_no_log_is_refused_with_what_would_be(tmp_path):
    with pytest.raises(LogError, match=r"expected one of .*u\.data \(ml-100k\).*found nothing"):
        read_log(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(LogError, match=r"found notes\.txt"):
        read_log(tmp_path)
    with pytest.raises(LogError, match=r"expected 'KuaiRand' or 'Movies', a folder .* got 'Kuai'"):
        read_log("Kuai")
    with pytest.raises(LogError, match="version must be one of ml-100k, ml-1m, ml-latest"):
        read_movielens(tmp_path, "ml-3m")
