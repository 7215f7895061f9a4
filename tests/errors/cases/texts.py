"""Text that is no graph."""

import graphc as gc

MLP = """graph @mlp(%x: f32[N,3], %y: i64[N]) {
  parameter %w: f32[3,2]
  %h: f32[N,2] = dot_general(%x, %w, contract=((1,), (0,)))
  %loss: f32[] = sum(%h, axis=(0, 1))
  return %loss
}"""


def text_unexpected_sign():
    gc.parse(MLP.replace("(%h, axis", "(%h = 4, axis"))


def text_unclosed_call():
    gc.parse(MLP.replace("(0, 1))", "(0, 1)"))


def text_ends_early():
    gc.parse(MLP[: MLP.index("return")])


def text_after_the_graph():
    gc.parse(MLP + "\n}")


def text_empty():
    gc.parse("")


def text_unknown_op():
    gc.parse(MLP.replace("sum", "summ"))


def text_unknown_value():
    gc.parse(MLP.replace("sum(%h", "sum(%hh"))


def text_value_used_before_it_is_defined():
    gc.parse(MLP.replace("dot_general(%x", "dot_general(%loss"))


def text_name_defined_twice():
    gc.parse(MLP.replace("%h: ", "%x: "))


def text_statement():
    gc.parse(MLP.replace("return", "retrun"))


def text_state_kind():
    gc.parse(MLP.replace("parameter", "paramter"))


def text_order_of_axes():
    gc.parse("graph @f() {\n  parameter %w: f32[8,4,3,3] stored (3, 2, 0)\n  return %w\n}")


def text_dtype():
    gc.parse(MLP.replace("%loss: f32", "%loss: float32"))


def text_extent():
    gc.parse(MLP.replace("%h: f32[N,2]", "%h: f32[N+,2]"))


def text_extent_negative():
    gc.parse(MLP.replace("%w: f32[3,2]", "%w: f32[3,2-4]"))


def text_types_disagree():
    gc.parse(MLP.replace("%h: f32[N,2]", "%h: f32[N,3]"))


def text_operands_do_not_fit():
    gc.parse(MLP.replace("%w: f32[3,2]", "%w: f32[4,2]"))


def text_number_of_results():
    gc.parse(MLP.replace("%loss: f32[] =", "%loss: f32[], %more: f32[] ="))


def text_number_of_operands():
    gc.parse(MLP.replace("sum(%h,", "sum(%h, %h,"))


def text_unknown_attribute():
    gc.parse(MLP.replace("axis=", "axes="))


def text_missing_attribute():
    gc.parse(MLP.replace(", axis=(0, 1)", ""))


def text_attribute_given_twice():
    gc.parse(MLP.replace("axis=(0, 1)", "axis=(0, 1), axis=(0,)"))


def text_attribute_of_another_kind():
    gc.parse(MLP.replace("axis=(0, 1)", 'axis="all"'))


def text_operand_after_attributes():
    gc.parse(MLP.replace("axis=(0, 1)", "axis=(0, 1), %h"))


def text_literal_without_dtype():
    gc.parse(MLP.replace("return %loss", "return 1.0"))


def text_literal_of_another_dtype():
    gc.parse(MLP.replace("return %loss", "return 0.5:i64"))


def text_unknown_dim():
    gc.parse(MLP.replace("return %loss", "return M:i64"))


def text_string_that_does_not_end():
    gc.parse(MLP.replace("axis=(0, 1)", 'axis="all'))


def text_escape():
    gc.parse(MLP.replace("axis=(0, 1)", r'axis="a\x"'))


def text_array_too_short():
    gc.parse("graph @f() { %c: f32[2,2] = constant(value=f32[2,2]{1.0, 2.0, 3.0}) return %c }")


def text_array_damaged():
    gc.parse('graph @f() { %c: f32[2] = constant(value=f32[2]{base64 "AACAPw="}) return %c }')


def text_array_element():
    gc.parse("graph @f() { %c: u8[2] = constant(value=u8[2]{1, 256}) return %c }")


def text_update_of_an_input():
    gc.parse(MLP.replace("return", "update %x = %x return"))


def text_update_with_another_type():
    gc.parse(MLP.replace("return", "update %w = %h return"))


def text_long_line():
    gc.parse("graph @f(" + ", ".join(f"%input_{i}: f32[N]" for i in range(20)) + " %more: f32[N]) { return }")


def text_of_a_wide_script():
    gc.parse("graph @f(%入力: f32[N]) {\n  %y: f32[N] = exp(%出力)\n  return %y\n}")


def text_of_a_file():
    from graphc.text.parser import parse

    parse(MLP.replace("sum", "summ"), file="models/mlp.ir")
