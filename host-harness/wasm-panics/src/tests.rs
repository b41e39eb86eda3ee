#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use crate::{Panics, PanicsError};

/// The sites of a module, each with its path.
fn sites(module: &str) -> Vec<(String, String)> {
    let panics = Panics::of(module.as_bytes()).unwrap();
    let sites = panics.sites.iter();
    sites
        .map(|site| (site.to_string(), site.path().to_string()))
        .collect()
}

/// The sites of an exported function with this body. `$die` never returns, `$log` does.
fn sites_in(body: &str) -> Vec<String> {
    let module = format!(
        "(module
            (func $die unreachable)
            (func $log)
            (func $run (export \"run\") (param i32) {body}))"
    );
    sites(&module).into_iter().map(|(site, _)| site).collect()
}

#[test]
fn an_unreachable_panic_is_not_a_site() {
    for body in [
        "(call $log)",
        "(return) (unreachable)",
        "(block (br 0) (call $die))",
        "(loop (br 0)) (call $die)",
        "(if (local.get 0) (then (return)) (else (return))) (unreachable)",
        "(block (block (br_table 0 1 (local.get 0)) (call $die)))",
    ] {
        assert_eq!(sites_in(body), [""; 0], "{body}");
    }
}

#[test]
fn a_reachable_panic_is_a_site() {
    for body in [
        "(call $die)",
        "(block (br_if 0 (local.get 0)) (call $die))",
        "(if (local.get 0) (then (call $die)))",
        "(if (local.get 0) (then (call $log)) (else (call $die)))",
        "(if (local.get 0) (then (return))) (call $die)",
        "(block (block (br_table 0 1 (local.get 0))) (call $die))",
        "(loop (br_if 0 (local.get 0))) (call $die)",
        "(block (return_call $die))",
    ] {
        assert_eq!(sites_in(body), ["die ← run"], "{body}");
    }
    assert_eq!(
        sites_in("(if (local.get 0) (then unreachable))"),
        ["unreachable ← run"]
    );
}

#[test]
fn a_function_that_only_panics_is_the_callee_and_not_a_site() {
    let found = sites(
        r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (func $abort (call $exit (i32.const 1)) unreachable)
            (func $panic (param i32) (if (local.get 0) (then (call $abort)) (else unreachable)))
            (func $check (param i32) (if (local.get 0) (then (call $panic (local.get 0)))))
            (func (export "proxy_on_tick") (param i32) (call $check (local.get 0))))"#,
    );
    assert_eq!(
        found,
        [("panic ← check".into(), "proxy_on_tick → check".into())]
    );
}

#[test]
fn an_indirect_call_reaches_functions_of_its_type_in_a_table() {
    let found = sites(
        r#"(module
            (type $callback (func (param i32)))
            (type $same (func (param i32)))
            (table funcref (elem $in_table $of_another_type))
            (func $in_table (type $same) (if (local.get 0) (then unreachable)))
            (func $of_another_type (param i64) (if (i64.eqz (local.get 0)) (then unreachable)))
            (func $in_no_table (param i32) (if (local.get 0) (then unreachable)))
            (func $dispatch (call_indirect (type $callback) (i32.const 1) (i32.const 0)))
            (func (export "run") (call $dispatch)))"#,
    );
    let path = "run → dispatch ⇢ in_table";
    assert_eq!(found, [("unreachable ← in_table".into(), path.into())]);
}

#[test]
fn a_path_prefers_direct_calls_to_few_calls() {
    let found = sites(
        r#"(module
            (table funcref (elem $leaf))
            (func $leaf (if (i32.const 1) (then unreachable)))
            (func $one (call $two))
            (func $two (call $leaf))
            (func (export "indirect") (call_indirect (i32.const 0)))
            (func (export "direct") (call $one)))"#,
    );
    assert_eq!(found.len(), 1);
    assert_eq!(found.first().unwrap().1, "direct → one → two → leaf");
}

#[test]
fn rust_names_are_demangled_without_the_hash() {
    let found = sites(
        r#"(module
            (func $_ZN4core9panicking9panic_fmt17h0123456789abcdefE unreachable)
            (func $_RNvCs1234_7mycrate3foo (if (i32.const 1) (then (call 0))))
            (func (export "run") (call 1)))"#,
    );
    let site = "core::panicking::panic_fmt ← mycrate::foo";
    assert_eq!(found, [(site.into(), "run → mycrate::foo".into())]);
}

#[test]
fn a_panic_of_core_is_attributed_to_each_caller() {
    let found = sites(
        r#"(module
            (table funcref (elem $_ZN4core6shared17h0123456789abcdefE))
            (func $die unreachable)
            (func $_ZN4core6expect17h0123456789abcdefE (if (i32.const 1) (then (call $die))))
            (func $_ZN4core6shared17h0123456789abcdefE (call $_ZN4core6expect17h0123456789abcdefE))
            (func $one (call $_ZN4core6expect17h0123456789abcdefE))
            (func $two (call $_ZN4core6shared17h0123456789abcdefE))
            (func (export "run") (call $one) (call $two) (call_indirect (i32.const 0))))"#,
    );
    let sites: Vec<_> = found.iter().map(|(site, _)| site.as_str()).collect();
    let expected = [
        "die ← core::expect ← core::shared ← two",
        // An indirect call may reach it too; its caller is unknown.
        "die ← core::expect ← core::shared",
        "die ← core::expect ← one",
    ];
    assert_eq!(sites, expected);
    assert_eq!(found[0].1, "run → two");
}

#[test]
fn a_module_that_cannot_be_analysed_is_an_error_with_a_remedy() {
    let stripped = Panics::of(br#"(module (func (export "run") unreachable))"#);
    let message = stripped.unwrap_err().to_string();
    assert!(message.contains("strip=false"), "{message}");
    assert!(matches!(
        Panics::of(b"(module (tag) (func $run (throw 0)))"),
        Err(PanicsError::Exceptions)
    ));
    assert!(matches!(Panics::of(b"(modul"), Err(PanicsError::Text(_))));
    assert!(matches!(
        Panics::of(b"\0asm\x01\0\0\0\x01\xff"),
        Err(PanicsError::Malformed(_))
    ));
}
