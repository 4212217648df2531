//! The compact form comes back byte for byte, and is what a person would write.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(text: &str, expected: &str) {
    let grid = parse(text).expect("a table");
    let written = exact(&grid, text);
    assert_eq!(written.as_deref(), Some(expected));
}

#[test]
fn kubectl_columns_lose_their_padding() {
    check(
        "NAME         READY   STATUS    RESTARTS   AGE\n\
         api-x2x1z    1/1     Running   0          3d\n\
         api-zzz12    1/1     Error     17         3d\n\
         web-abc      1/1     Running   0          12h\n\
         web-abcd     1/1     Running   0          12h\n",
        "NAME READY=1/1 STATUS=Running RESTARTS AGE @0 13 21 31 42\n\
         api-x2x1z 0 3d\n\
         api-zzz12 STATUS=Error 17 3d\n\
         web-abc 0 12h\n\
         web-abcd 0 12h\n",
    );
}

#[test]
fn numbers_on_the_right_come_back_on_the_right() {
    check(
        "USER       PID %CPU COMMAND\n\
         root         1  0.0 /sbin/init splash\n\
         root      1234 12.5 sshd: x\n\
         mia        999  0.0 -bash\n",
        "USER|PID|%CPU=0.0|COMMAND|@0 -14 -19 20\n\
         root|1|/sbin/init splash\n\
         root|1234|%CPU=12.5|sshd: x\n\
         mia|999|-bash\n",
    );
}

#[test]
fn markdown_loses_padding_and_most_of_its_ruler() {
    check(
        "| name  | kind   | size |\n\
         | ----- | :----- | ---: |\n\
         | alpha | file   | 12   |\n\
         | b     | file   | 7    |\n\
         | c     | folder | 0    |\n",
        "name|kind=file|size\n\
         -5|:-5|-3:\n\
         alpha|12\n\
         b|7\n\
         c|kind=folder|0\n",
    );
}

#[test]
fn psql_comes_back_with_its_centred_titles_and_count() {
    check(
        " id | full_name \n\
         ----+-----------\n\
         \x20 1 | Mia Li\n\
         \x2022 | Omar\n\
         (2 rows)\n\n",
        "id|full_name\n\
         -4+-11\n\
         1|Mia Li\n\
         22|Omar\n\
         (2 rows)\n\n",
    );
}

/// T057.
#[test]
fn quotes_line_ends_and_byte_order_marks_stay_in_their_rows() {
    check(
        "\u{feff}id,note,state\r\n1,\"a, b\",on\r\n2,\"say \"\"hi\"\"\r\nand go\",on\r\n3,,on\r\n4,x,off",
        "\u{feff}id,note,state=on\r\n1,\"a, b\"\r\n2,\"say \"\"hi\"\"\r\nand go\"\r\n3,\r\n4,x,state=off",
    );
    check("id\tnote\tstate\n1\ta\ton\n2\tb\ton\n3\t\ton\n4\td\ton\n", "id\tnote\tstate=on\n1\ta\n2\tb\n3\t\n4\td\n");
}

/// T057.
#[test]
fn ragged_rows_and_open_quotes_are_left_alone() {
    for text in [
        "id,note,state\n1,a,on\n2,b\n3,c,on\n4,d,on\n",
        "id,note,state\n1,a,on\n2,\"b,on\n3,c,on\n4,d,on\n",
        "id,note,state\n1,a,on\n2,\"b\"x,on\n3,c,on\n4,d,on\n",
        "Dear Mia,\n\nwe met, as you know,\nin May, in Rome,\nand, well,\nso, so,\n",
        "1,2,3\n4,5,6\n7,8,9\n1,2,3\n1,2,3\n",
        "| a | b |\n| - | - |\n",
        "# Title\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

fn any_table() -> impl Strategy<Value = String> {
    let cell = prop::sample::select(vec![
        "a",
        "b",
        "",
        "x y",
        "1",
        "22",
        "-",
        "a=b",
        "B=1",
        "\"q,\"\"\n\"",
        "|",
        "<none>",
        "3d",
        "é",
        "@1",
    ]);
    let rows = prop::collection::vec(prop::collection::vec(cell, 3), 2..12);
    (rows, 0..4_u8, any::<bool>()).prop_map(|(rows, style, closed)| {
        let titles = vec!["A", "B", "C"];
        let all: Vec<_> = std::iter::once(titles).chain(rows).collect();
        let width = |place: usize| all.iter().map(|row| row[place].chars().count()).max().unwrap_or(0);
        let padded = |row: &Vec<&str>, gap: &str| {
            let cells: Vec<_> =
                row.iter().enumerate().map(|(place, cell)| format!("{cell:<width$}", width = width(place))).collect();
            cells.join(gap)
        };
        let mut lines: Vec<_> = all
            .iter()
            .map(|row| match style {
                0 => row.join(","),
                1 => padded(row, "   ").trim_end().to_owned(),
                2 => format!("| {} |", padded(row, " | ")),
                _ => row.join("\t"),
            })
            .collect();
        if style == 2 {
            let ruler: Vec<_> = (0..3).map(|place| "-".repeat(width(place).max(3))).collect();
            lines.insert(1, format!("| {} |", ruler.join(" | ")));
        }
        lines.join("\n") + if closed { "\n" } else { "" }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_comes_back_byte_for_byte(text in any_table()) {
        if let Some(grid) = parse(&text) {
            prop_assert_eq!(&grid.render(), &text);
            if let Some(written) = exact(&grid, &text) {
                prop_assert_eq!(decode(&written), Some(text));
            }
        }
    }

    #[test]
    fn reading_any_text_is_total(text in headroom_testkit::generate::any_text()) {
        let _ = decode(&text);
        let _ = parse(&text);
    }
}

/// Rows that repeat the row above, with too many values for one of them to be said in the header.
#[cfg(feature = "command")]
#[test]
fn a_table_of_rows_that_repeat_the_row_above_is_written_without_them() {
    let row = |at: usize| {
        format!(
            "{:<9} {:>5}  {:<22} {:<18} {}\n",
            format!("cmd{}", at / 9),
            100 + at / 9,
            format!("/usr/lib/part-{}", at / 4),
            format!("dev-{}", at / 6),
            at
        )
    };
    let text = String::from("COMMAND     PID  FILE                   DEVICE             NODE\n")
        + &(0..80).map(row).collect::<String>();
    let segment = Segment { text: &text, hints: headroom_core::Hints::NONE };
    let goal = Goal { level: headroom_core::Level::Exact, tokens: &headroom_tokens::Tokenizer::O200k };
    let exact = TableCompressor.compress(&segment, &goal).expect("shorter").text;
    assert_eq!(decode(&exact).as_deref(), Some(&*text));
    assert!(exact.contains("^"), "{exact}");
}
