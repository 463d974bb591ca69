//! All functions with their forms: the one list that the parser, the checker and the evaluator share.

use super::{Form, Function, Native, Parameter, Returns, convert, lists, strings};
use crate::expr::pattern::Search;
use Parameter::{Any, Int, List, Number, Object, String};

const fn form(parameters: &'static [Parameter], returns: Returns, call: Native) -> Form {
    Form {
        parameters,
        returns,
        call,
    }
}

const fn function(name: &'static str, forms: &'static [Form]) -> Function {
    Function {
        name,
        forms,
        pattern: None,
    }
}

const fn pattern(name: &'static str, search: Search, forms: &'static [Form]) -> Function {
    Function {
        name,
        forms,
        pattern: Some(search),
    }
}

const INDEX_OF: &[Form] = &[
    form(&[String, String], Returns::Int, strings::index_of),
    form(&[String, String, Int], Returns::Int, strings::index_of),
    form(&[List, Any], Returns::Int, lists::index_of),
];

const LAST_INDEX_OF: &[Form] = &[
    form(&[String, String], Returns::Int, strings::last_index_of),
    form(&[String, String, Int], Returns::Int, strings::last_index_of),
    form(&[List, Any], Returns::Int, lists::last_index_of),
];

pub(super) const FUNCTIONS: &[Function] = &[
    function(
        "size",
        &[
            form(&[String], Returns::Int, strings::size),
            form(&[List], Returns::Int, lists::size),
            form(&[Object], Returns::Int, lists::size),
        ],
    ),
    function("contains", &[form(&[String, String], Returns::Bool, strings::contains)]),
    function(
        "startsWith",
        &[form(&[String, String], Returns::Bool, strings::starts_with)],
    ),
    function(
        "endsWith",
        &[form(&[String, String], Returns::Bool, strings::ends_with)],
    ),
    pattern(
        "matches",
        Search::Test,
        &[form(&[String, String], Returns::Bool, strings::matches)],
    ),
    pattern(
        "find",
        Search::Find,
        &[form(&[String, String], Returns::String, strings::find)],
    ),
    pattern(
        "findAll",
        Search::Find,
        &[
            form(&[String, String], Returns::Strings, strings::find_all),
            form(&[String, String, Int], Returns::Strings, strings::find_all),
        ],
    ),
    function("charAt", &[form(&[String, Int], Returns::String, strings::char_at)]),
    function("indexOf", INDEX_OF),
    function("lastIndexOf", LAST_INDEX_OF),
    function("lowerAscii", &[form(&[String], Returns::String, strings::lower_ascii)]),
    function("upperAscii", &[form(&[String], Returns::String, strings::upper_ascii)]),
    function(
        "replace",
        &[
            form(&[String, String, String], Returns::String, strings::replace),
            form(&[String, String, String, Int], Returns::String, strings::replace),
        ],
    ),
    function(
        "split",
        &[
            form(&[String, String], Returns::Strings, strings::split),
            form(&[String, String, Int], Returns::Strings, strings::split),
        ],
    ),
    function(
        "substring",
        &[
            form(&[String, Int], Returns::String, strings::substring),
            form(&[String, Int, Int], Returns::String, strings::substring),
        ],
    ),
    function("trim", &[form(&[String], Returns::String, strings::trim)]),
    function(
        "join",
        &[
            form(&[List], Returns::String, lists::join),
            form(&[List, String], Returns::String, lists::join),
        ],
    ),
    function("isSorted", &[form(&[List], Returns::Bool, lists::is_sorted)]),
    function("sum", &[form(&[List], Returns::Element, lists::sum)]),
    function(
        "min",
        &[
            form(&[List], Returns::Element, lists::min),
            form(&[Number, Number], Returns::Joined, lists::min),
        ],
    ),
    function(
        "max",
        &[
            form(&[List], Returns::Element, lists::max),
            form(&[Number, Number], Returns::Joined, lists::max),
        ],
    ),
    function("avg", &[form(&[List], Returns::Double, lists::avg)]),
    function("distinct", &[form(&[List], Returns::Same, lists::distinct)]),
    function(
        "flatten",
        &[
            form(&[List], Returns::Array, lists::flatten),
            form(&[List, Int], Returns::Array, lists::flatten),
        ],
    ),
    function("slice", &[form(&[List, Int, Int], Returns::Same, lists::slice)]),
    function(
        "range",
        &[
            form(&[Int], Returns::Integers, lists::range),
            form(&[Int, Int], Returns::Integers, lists::range),
        ],
    ),
    function("int", &[form(&[Any], Returns::Int, convert::int)]),
    function("double", &[form(&[Any], Returns::Double, convert::double)]),
    function("string", &[form(&[Any], Returns::String, convert::string)]),
    function("bool", &[form(&[Any], Returns::Bool, convert::bool)]),
    function("json", &[form(&[Any], Returns::String, convert::json)]),
    function("dyn", &[form(&[Any], Returns::Any, convert::dynamic)]),
];
