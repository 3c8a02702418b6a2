//! Values on their way to PostgreSQL and back, in its binary formats.

use std::error::Error as StdError;

use partie_contract::{InvalidValue, Value};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};
use uuid::Uuid;

type Thrown = Box<dyn StdError + Sync + Send>;

/// A value in the format of the type that the statement wants there.
#[derive(Debug)]
pub(super) struct Bound(Option<BytesMut>);

/// A column of a result, of whatever type it is.
pub(super) struct Found<'r>(pub(super) Value<'r>);

// === in ===

impl Bound {
    pub(super) fn new(value: &Value<'_>, ty: &Type) -> Result<Self, InvalidValue> {
        if *value == Value::Null {
            return Ok(Self(None));
        }
        let mut out = BytesMut::new();
        encode(value, base(ty), &mut out)?;
        Ok(Self(Some(out)))
    }
}

impl ToSql for Bound {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Thrown> {
        let Some(bytes) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn encode(value: &Value<'_>, ty: &Type, out: &mut BytesMut) -> Result<(), InvalidValue> {
    let unfit =
        || value.is_not(&format!("a {ty} as the statement wants it; a CAST says what a parameter is"));
    let small = |whole: i64| {
        i16::try_from(whole).map_err(|_| InvalidValue::new("the integer does not fit into a SMALLINT"))
    };
    let middle = |whole: i64| {
        i32::try_from(whole).map_err(|_| InvalidValue::new("the integer does not fit into an INTEGER"))
    };
    let whole = match value {
        Value::Bool(truth) => Some(i64::from(*truth)),
        Value::Integer(whole) => Some(*whole),
        _ => None,
    };
    match (ty, value) {
        (&Type::BOOL, Value::Bool(_) | Value::Integer(0 | 1)) => out.extend([u8::from(whole == Some(1))]),
        (&Type::INT2, _) => out.extend(small(whole.ok_or_else(unfit)?)?.to_be_bytes()),
        (&Type::INT4, _) => out.extend(middle(whole.ok_or_else(unfit)?)?.to_be_bytes()),
        (&Type::INT8, _) => out.extend(whole.ok_or_else(unfit)?.to_be_bytes()),
        (&Type::FLOAT8, Value::Real(real)) => out.extend(real.to_be_bytes()),
        (&Type::FLOAT8, Value::Integer(whole)) => out.extend((*whole as f64).to_be_bytes()),
        (&Type::FLOAT4, Value::Real(real)) => out.extend((*real as f32).to_be_bytes()),
        (&Type::NUMERIC, Value::Integer(whole)) => encode_numeric(*whole, out),
        (
            &Type::TEXT | &Type::VARCHAR | &Type::BPCHAR | &Type::NAME | &Type::UNKNOWN | &Type::JSON,
            Value::Text(text),
        ) => {
            without_null(text)?;
            out.extend(text.as_bytes());
        }
        (&Type::JSONB, Value::Text(text)) => {
            out.extend([1]);
            out.extend(text.as_bytes());
        }
        (&Type::BYTEA, Value::Blob(bytes)) => out.extend(bytes.iter()),
        (&Type::BYTEA | &Type::UUID, Value::Uuid(id)) => out.extend(id.as_bytes()),
        (&Type::UUID, Value::Blob(bytes)) if bytes.len() == 16 => out.extend(bytes.iter()),
        (_, Value::Text(text)) if matches!(ty.kind(), Kind::Enum(_)) => out.extend(text.as_bytes()),
        _ => return Err(unfit()),
    }
    Ok(())
}

fn without_null(text: &str) -> Result<(), InvalidValue> {
    if text.contains('\0') {
        Err(InvalidValue::new("PostgreSQL stores no text with a NUL in it"))
    } else {
        Ok(())
    }
}

/// Groups of four digits, the highest first.
fn encode_numeric(whole: i64, out: &mut BytesMut) {
    let mut digits = Vec::new();
    let mut rest = whole.unsigned_abs();
    while rest > 0 {
        digits.insert(0, (rest % 10_000) as i16);
        rest /= 10_000;
    }
    let count = digits.len() as i16;
    let sign: i16 = if whole < 0 { 0x4000 } else { 0 };
    for word in [count, (count - 1).max(0), sign, 0].into_iter().chain(digits) {
        out.extend(word.to_be_bytes());
    }
}

// === out ===

impl<'r> FromSql<'r> for Found<'r> {
    fn from_sql(ty: &Type, raw: &'r [u8]) -> Result<Self, Thrown> {
        Ok(Self(decode(base(ty), raw)?))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Thrown> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn decode<'r>(ty: &Type, raw: &'r [u8]) -> Result<Value<'r>, Thrown> {
    Ok(match *ty {
        Type::BOOL => Value::Bool(raw != [0]),
        Type::INT2 => Value::Integer(i16::from_be_bytes(raw.try_into()?).into()),
        Type::INT4 => Value::Integer(i32::from_be_bytes(raw.try_into()?).into()),
        Type::OID => Value::Integer(u32::from_be_bytes(raw.try_into()?).into()),
        Type::INT8 => Value::Integer(i64::from_be_bytes(raw.try_into()?)),
        Type::FLOAT4 => Value::Real(f32::from_be_bytes(raw.try_into()?).into()),
        Type::FLOAT8 => Value::Real(f64::from_be_bytes(raw.try_into()?)),
        Type::NUMERIC => decode_numeric(raw)?,
        Type::BYTEA => raw.into(),
        Type::UUID => Value::Uuid(Uuid::from_slice(raw)?),
        Type::VOID => Value::Null,
        Type::JSONB => std::str::from_utf8(raw.get(1..).unwrap_or_default())?.into(),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON => {
            std::str::from_utf8(raw)?.into()
        }
        _ if matches!(ty.kind(), Kind::Enum(_)) => std::str::from_utf8(raw)?.into(),
        _ => {
            return Err(InvalidValue::new(format!(
                "a column of type {ty} is none that a store reads; cast it"
            ))
            .into());
        }
    })
}

/// What `SUM` of whole numbers gives: an integer where it is one and fits.
fn decode_numeric(raw: &[u8]) -> Result<Value<'static>, Thrown> {
    let words: Vec<i16> = raw.chunks_exact(2).map(|two| i16::from_be_bytes([two[0], two[1]])).collect();
    let [_, weight, sign, _, digits @ ..] = &words[..] else {
        return Err("a number in a strange format".into());
    };
    let is_whole = digits.len() <= usize::try_from(i32::from(*weight) + 1).unwrap_or(0);
    if is_whole && *weight < 5 && matches!(sign, 0 | 0x4000) {
        let all = (0..=*weight).map(|at| digits.get(usize::from(at.unsigned_abs())).copied().unwrap_or(0));
        let whole = all.fold(0_i128, |whole, four| whole * 10_000 + i128::from(four));
        if let Ok(whole) = i64::try_from(if *sign == 0 { whole } else { -whole }) {
            return Ok(Value::Integer(whole));
        }
    }
    let real = digits.iter().rev().fold(0.0, |real, four| real / 10_000.0 + f64::from(*four));
    let real = real * 10_000_f64.powi((*weight).into());
    match *sign {
        0 => Ok(Value::Real(real)),
        0x4000 => Ok(Value::Real(-real)),
        _ => Err("NaN and infinity are no numbers".into()),
    }
}

/// A domain is stored as what it is made of.
fn base(mut ty: &Type) -> &Type {
    while let Kind::Domain(of) = ty.kind() {
        ty = of;
    }
    ty
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(value: &Value<'_>, ty: &Type) -> Value<'static> {
        let mut out = BytesMut::new();
        encode(value, ty, &mut out).unwrap();
        match decode(ty, &out).unwrap() {
            Value::Integer(whole) => Value::Integer(whole),
            Value::Real(real) => Value::Real(real),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn whole_numbers_go_through_every_type_of_number() {
        for whole in [0, 1, -1, 9_999, 10_000, -10_001, 120_000_000, i64::MAX, i64::MIN] {
            for ty in [Type::NUMERIC, Type::INT8] {
                assert_eq!(there_and_back(&Value::Integer(whole), &ty), Value::Integer(whole), "{ty}");
            }
        }
        // 12.5, as the server sends it.
        let sent = [2_i16, 0, 0, 1, 12, 5_000].map(i16::to_be_bytes).concat();
        assert_eq!(decode(&Type::NUMERIC, &sent).unwrap(), Value::Real(12.5));
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_sent() {
        for (value, ty) in [
            (Value::Integer(1 << 40), Type::INT4),
            (Value::Integer(1 << 20), Type::INT2),
            (Value::Integer(2), Type::BOOL),
            (Value::Integer(1), Type::TEXT),
            ("1".into(), Type::INT8),
            ("a\0b".into(), Type::TEXT),
            ([1, 2][..].into(), Type::UUID),
            (Value::Real(0.5), Type::INT8),
        ] {
            assert!(encode(&value, &ty, &mut BytesMut::new()).is_err(), "{value:?} {ty}");
        }
    }
}
