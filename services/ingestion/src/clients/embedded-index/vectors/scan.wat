;; Adds up what the codes of 1,024 chunks say of their similarity to a query. `npm test -- code-memory` compares scan.wasm with this source;
;; ACCEPT=1 before it writes scan.wasm anew.
;;
;; Memory: from 0 a table of 32 bytes for each asked column (what each of 16 steps of its first dimension adds, then of its second), from
;; 65536 where each asked column stands within a group, from 131072 the 1,024 sums, then codes. A byte of codes has the steps of two
;; dimensions; the 64 bytes of a column in a group belong to 64 chunks.
(module
  (memory (export "memory") 3)
  (func (export "scan") (param $codes i32) (param $stride i32) (param $columns i32)
    (local $group i32) (local $column i32) (local $at i32) (local $to i32)
    (local $low v128) (local $high v128) (local $codes16 v128) (local $sum v128) (local $mask v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local $e v128) (local $f v128) (local $g v128) (local $h v128)
    (local.set $mask (i8x16.splat (i32.const 15)))
    (local.set $to (i32.const 131072))
    (loop $groups
      (local.set $a (v128.const i64x2 0 0)) (local.set $b (v128.const i64x2 0 0))
      (local.set $c (v128.const i64x2 0 0)) (local.set $d (v128.const i64x2 0 0))
      (local.set $e (v128.const i64x2 0 0)) (local.set $f (v128.const i64x2 0 0))
      (local.set $g (v128.const i64x2 0 0)) (local.set $h (v128.const i64x2 0 0))
      (local.set $column (i32.const 0))
      (loop $each
        (local.set $low (v128.load (i32.shl (local.get $column) (i32.const 5))))
        (local.set $high (v128.load offset=16 (i32.shl (local.get $column) (i32.const 5))))
        (local.set $at (i32.add (local.get $codes) (i32.load offset=65536 (i32.shl (local.get $column) (i32.const 2)))))
        (local.set $codes16 (v128.load (local.get $at)))
        (local.set $sum (i8x16.add
          (i8x16.swizzle (local.get $low) (v128.and (local.get $codes16) (local.get $mask)))
          (i8x16.swizzle (local.get $high) (i8x16.shr_u (local.get $codes16) (i32.const 4)))))
        (local.set $a (i16x8.add_sat_s (local.get $a) (i16x8.extend_low_i8x16_s (local.get $sum))))
        (local.set $b (i16x8.add_sat_s (local.get $b) (i16x8.extend_high_i8x16_s (local.get $sum))))
        (local.set $codes16 (v128.load offset=16 (local.get $at)))
        (local.set $sum (i8x16.add
          (i8x16.swizzle (local.get $low) (v128.and (local.get $codes16) (local.get $mask)))
          (i8x16.swizzle (local.get $high) (i8x16.shr_u (local.get $codes16) (i32.const 4)))))
        (local.set $c (i16x8.add_sat_s (local.get $c) (i16x8.extend_low_i8x16_s (local.get $sum))))
        (local.set $d (i16x8.add_sat_s (local.get $d) (i16x8.extend_high_i8x16_s (local.get $sum))))
        (local.set $codes16 (v128.load offset=32 (local.get $at)))
        (local.set $sum (i8x16.add
          (i8x16.swizzle (local.get $low) (v128.and (local.get $codes16) (local.get $mask)))
          (i8x16.swizzle (local.get $high) (i8x16.shr_u (local.get $codes16) (i32.const 4)))))
        (local.set $e (i16x8.add_sat_s (local.get $e) (i16x8.extend_low_i8x16_s (local.get $sum))))
        (local.set $f (i16x8.add_sat_s (local.get $f) (i16x8.extend_high_i8x16_s (local.get $sum))))
        (local.set $codes16 (v128.load offset=48 (local.get $at)))
        (local.set $sum (i8x16.add
          (i8x16.swizzle (local.get $low) (v128.and (local.get $codes16) (local.get $mask)))
          (i8x16.swizzle (local.get $high) (i8x16.shr_u (local.get $codes16) (i32.const 4)))))
        (local.set $g (i16x8.add_sat_s (local.get $g) (i16x8.extend_low_i8x16_s (local.get $sum))))
        (local.set $h (i16x8.add_sat_s (local.get $h) (i16x8.extend_high_i8x16_s (local.get $sum))))
        (br_if $each (i32.lt_u (local.tee $column (i32.add (local.get $column) (i32.const 1))) (local.get $columns))))
      (v128.store (local.get $to) (local.get $a)) (v128.store offset=16 (local.get $to) (local.get $b))
      (v128.store offset=32 (local.get $to) (local.get $c)) (v128.store offset=48 (local.get $to) (local.get $d))
      (v128.store offset=64 (local.get $to) (local.get $e)) (v128.store offset=80 (local.get $to) (local.get $f))
      (v128.store offset=96 (local.get $to) (local.get $g)) (v128.store offset=112 (local.get $to) (local.get $h))
      (local.set $to (i32.add (local.get $to) (i32.const 128)))
      (local.set $codes (i32.add (local.get $codes) (local.get $stride)))
      (br_if $groups (i32.lt_u (local.tee $group (i32.add (local.get $group) (i32.const 1))) (i32.const 16))))))
