//! Several kinds of objects in one array: events of different types, findings with different details.
//!
//! Kinds are told apart by their keys alone, before anything is laid out, so that the work stays linear.

use super::layout::Columns;
use super::value::{Fields, Node, hash_bytes};
use crate::log::lex::HashedMap;

/// More kinds than this are written one by one: a reader would have to go back to too many headers.
pub(super) const MAX_SHAPES: usize = 8;

/// More sequences of keys than this are no kinds.
const MAX_SIGNATURES: usize = 64;

/// Objects whose keys are mostly the same and in one order.
struct Shape<'t> {
    columns: Columns<'t>,
    objects: Vec<&'t Node<'t>>,
    keys: usize,
}

/// The objects of each kind, if telling the kinds apart is better than one table for all.
///
/// It is when one table would leave many rows out of order, or many cells empty. Objects that are alone in their kind
/// are in none.
pub(super) fn of<'t>(objects: &[&'t Node<'t>]) -> Option<Vec<Vec<&'t Node<'t>>>> {
    if objects.len() < 4 {
        return None;
    }
    let mut shapes: Vec<Shape<'t>> = Vec::new();
    let mut signatures: HashedMap<Option<usize>> = HashedMap::default();
    let mut all = Shape { columns: Columns::default(), objects: Vec::new(), keys: 0 };
    let mut misfits: HashedMap<bool> = HashedMap::default();
    let mut out_of_order = 0;
    for object in objects {
        let fields = Fields::of(object)?;
        let signature = fields.keys().fold(fields.len() as u64, |hash, key| hash_bytes(hash, key.as_bytes()));
        if !signatures.contains_key(&signature) {
            if signatures.len() == MAX_SIGNATURES {
                return None;
            }
            signatures.insert(signature, place_of(object, &mut shapes));
            misfits.insert(signature, all.columns.add(fields, &mut 0).is_none());
        }
        all.keys += fields.len();
        out_of_order += usize::from(misfits[&signature]);
        if let Some(shape) = signatures[&signature] {
            shapes[shape].objects.push(object);
            shapes[shape].keys += fields.len();
        }
    }
    shapes.retain(|shape| shape.objects.len() >= 2);
    let placed: usize = shapes.iter().map(|shape| shape.objects.len()).sum();
    if shapes.len() < 2 || placed * 4 < objects.len() * 3 {
        return None;
    }
    let cells: usize = shapes.iter().map(|shape| shape.objects.len() * shape.columns.len()).sum();
    let keys: usize = shapes.iter().map(|shape| shape.keys).sum();
    let all_cells = objects.len() * all.columns.len();
    // Filled share of the cells, apart and together.
    let fuller = keys * all_cells * 10 > all.keys * cells * 13 && all.keys * 10 < all_cells * 6;
    (fuller || out_of_order * 10 > objects.len()).then(|| shapes.into_iter().map(|shape| shape.objects).collect())
}

/// The shape that an object with new keys belongs to, which may be a new one.
fn place_of<'t>(object: &'t Node<'t>, shapes: &mut Vec<Shape<'t>>) -> Option<usize> {
    let fields = Fields::of(object)?;
    let found = shapes.iter_mut().position(|shape| {
        let shared = fields.keys().filter(|key| shape.columns.has(key)).count();
        shared * 10 >= shape.columns.len().max(fields.len()) * 6 && shape.columns.add(fields, &mut 0).is_some()
    });
    if found.is_some() || shapes.len() == MAX_SHAPES {
        return found;
    }
    let mut columns = Columns::default();
    columns.add(fields, &mut 0)?;
    shapes.push(Shape { columns, objects: Vec::new(), keys: 0 });
    Some(shapes.len() - 1)
}
