// The 21-layer 3x3 ReLU CNN on at most 32x32 written out for one net: compile-time row strides, scales folded in by hand. What the
// general op lists of assembly/offsets.ts are measured against (bench/offsets.mjs).
const CTAB:usize=memory.data<f32>([1.0,1.0,1.0,1.0,0.1111111111111111,0.1111111111111111,0.1111111111111111,0.1111111111111111,0.05555555555555555,0.05555555555555555,0.05555555555555555,0.05555555555555555,0.07792346664705233,0.07792346664705233,0.07792346664705233,0.07792346664705233,-0.03221180279020919,-0.03221180279020919,-0.03221180279020919,-0.03221180279020919,0.012967953297790396,0.012967953297790396,0.012967953297790396,0.012967953297790396,-0.003592472295327823,-0.003592472295327823,-0.003592472295327823,-0.003592472295327823,0.0004684086790465193,0.0004684086790465193,0.0004684086790465193,0.0004684086790465193],64);
const ATAB:usize=memory.data<u32>([0x7fffffff,0x7fffffff,0x7fffffff,0x7fffffff],64);
const ARR:usize=18496;const rowbuf:usize=memory.data(5504,64);
export function base():usize{return (__heap_base+63)&~63;}
// @ts-ignore
@inline
function layerF(src:usize,dst:usize,px0:usize,py0:usize,n:i32,m:i32,W:i32):void{
  const ONE=v128.load(CTAB,0);
  const NINTH=v128.load(CTAB,16);
  const H18=v128.load(CTAB,32);
  const C0=v128.load(CTAB,48);
  const C1=v128.load(CTAB,64);
  const C2=v128.load(CTAB,80);
  const C3=v128.load(CTAB,96);
  const C4=v128.load(CTAB,112);
  const ABSM=v128.load(ATAB);
  const rb=rowbuf;const xs=<usize>W*8, ys=<usize>W*32;
  for(let i=0;i<n;i+=2){
    let a=src+<usize>i*544, d=dst+<usize>i*544, px=px0+<usize>(i*W)*8, py=py0+<usize>(i*W)*32,b=rb;
    const eb=b+<usize>m*16;
    const kam=v128.add<f32>(v128.load(a,544),v128.load(a,1088));const kbm=v128.add<f32>(v128.load(a,560),v128.load(a,1104));const tam=v128.add<f32>(v128.load(a,19040),v128.load(a,19584));const tbm=v128.add<f32>(v128.load(a,19056),v128.load(a,19600));
    let k0=v128.add<f32>(v128.load(a,0),kam),k1=v128.add<f32>(v128.load(a,16),kbm),t0=v128.add<f32>(v128.load(a,18496),tam),t1=v128.add<f32>(v128.load(a,18512),tbm);
    let g0=v128.add<f32>(kam,v128.load(a,1632)),g1=v128.add<f32>(kbm,v128.load(a,1648)),f0=v128.add<f32>(tam,v128.load(a,20128)),f1=v128.add<f32>(tbm,v128.load(a,20144));
    do{
      const kcm=v128.add<f32>(v128.load(a,576),v128.load(a,1120));const tcm=v128.add<f32>(v128.load(a,19072),v128.load(a,19616));
      const k2=v128.add<f32>(v128.load(a,32),kcm),t2=v128.add<f32>(v128.load(a,18528),tcm);
      const S=v128.add<f32>(v128.add<f32>(k0,k1),k2);const Q=v128.add<f32>(v128.add<f32>(t0,t1),t2);
      k0=k1;k1=k2;t0=t1;t1=t2;
      const c0A=v128.mul<f32>(S,v128.mul<f32>(v128.load32_splat(px,0),v128.load(py,0)));
      const cA=v128.pmin<f32>(v128.and(c0A,ABSM),ONE);
      const vA=v128.sqrt<f32>(v128.add<f32>(ONE,cA));const uA=v128.sqrt<f32>(v128.sub<f32>(ONE,cA));
      v128.store(b,S,0);v128.store(b,Q,544);v128.store(b,uA,1088);v128.store(b,vA,1632);v128.store(b,c0A,2176);
      const g2=v128.add<f32>(kcm,v128.load(a,1664)),f2=v128.add<f32>(tcm,v128.load(a,20160));
      const S2=v128.add<f32>(v128.add<f32>(g0,g1),g2);const Q2=v128.add<f32>(v128.add<f32>(f0,f1),f2);
      g0=g1;g1=g2;f0=f1;f1=f2;
      const c0B=v128.mul<f32>(S2,v128.mul<f32>(v128.load32_splat((px+xs),0),v128.load((py+ys),0)));
      const cB=v128.pmin<f32>(v128.and(c0B,ABSM),ONE);
      const vB=v128.sqrt<f32>(v128.add<f32>(ONE,cB));const uB=v128.sqrt<f32>(v128.sub<f32>(ONE,cB));
      v128.store(b,S2,2720);v128.store(b,Q2,3264);v128.store(b,uB,3808);v128.store(b,vB,4352);v128.store(b,c0B,4896);
      a+=16;b+=16;px+=8;py+=32;
    }while(b<eb);
    b=rb;px=px0+<usize>(i*W)*8;py=py0+<usize>(i*W)*32;
    do{
      const uC=v128.load(b,1088),vC=v128.load(b,1632);const SC=v128.load(b,0),QC=v128.load(b,544);const wC=v128.load(b,2176);
      const PC=v128.add<f32>(v128.mul<f32>(v128.add<f32>(v128.mul<f32>(v128.add<f32>(v128.mul<f32>(v128.add<f32>(v128.mul<f32>(C4,vC),C3),vC),C2),vC),C1),vC),C0);
      const kC=v128.add<f32>(H18,v128.xor(v128.andnot(wC,ABSM),v128.sub<f32>(H18,v128.mul<f32>(uC,PC))));
      const KC=v128.add<f32>(v128.mul<f32>(kC,SC),v128.mul<f32>(v128.mul<f32>(v128.load32_splat(px,4),v128.load(py,16)),v128.mul<f32>(uC,vC)));
      const MC=v128.add<f32>(v128.mul<f32>(kC,QC),KC);
      v128.store(d,KC,560);v128.store(d,MC,19056);
      const uD=v128.load(b,3808),vD=v128.load(b,4352);const SD=v128.load(b,2720),QD=v128.load(b,3264);const wD=v128.load(b,4896);
      const PD=v128.add<f32>(v128.mul<f32>(v128.add<f32>(v128.mul<f32>(v128.add<f32>(v128.mul<f32>(v128.add<f32>(v128.mul<f32>(C4,vD),C3),vD),C2),vD),C1),vD),C0);
      const kD=v128.add<f32>(H18,v128.xor(v128.andnot(wD,ABSM),v128.sub<f32>(H18,v128.mul<f32>(uD,PD))));
      const KD=v128.add<f32>(v128.mul<f32>(kD,SD),v128.mul<f32>(v128.mul<f32>(v128.load32_splat((px+xs),4),v128.load((py+ys),16)),v128.mul<f32>(uD,vD)));
      const MD=v128.add<f32>(v128.mul<f32>(kD,QD),KD);
      v128.store(d,KD,1104);v128.store(d,MD,19600);
      b+=16;d+=16;px+=8;py+=32;
    }while(b<eb);
  }
  if(n&1){const z=f32x4.splat(<f32>0.0);let d=dst+<usize>(n+1)*544;for(let j=0;j<=m;j++){v128.store(d,z,0);v128.store(d,z,18496);d+=16;}}
}

// @ts-ignore
@inline
function layerN(src:usize,dst:usize,px0:usize,py0:usize,n:i32,m:i32,W:i32):void{
  const ONE=v128.load(CTAB,0);
  const NINTH=v128.load(CTAB,16);
  const H18=v128.load(CTAB,32);
  const C0=v128.load(CTAB,48);
  const C1=v128.load(CTAB,64);
  const C2=v128.load(CTAB,80);
  const C3=v128.load(CTAB,96);
  const C4=v128.load(CTAB,112);
  const ABSM=v128.load(ATAB);
  const rb=rowbuf;const xs=<usize>W*8, ys=<usize>W*32;
  for(let i=0;i<n;i+=2){
    let a=src+<usize>i*544, d=dst+<usize>i*544, px=px0+<usize>(i*W)*8, py=py0+<usize>(i*W)*32,b=rb;
    const eb=b+<usize>m*16;
    const kam=v128.add<f32>(v128.load(a,544),v128.load(a,1088));const kbm=v128.add<f32>(v128.load(a,560),v128.load(a,1104));const tam=v128.add<f32>(v128.load(a,19040),v128.load(a,19584));const tbm=v128.add<f32>(v128.load(a,19056),v128.load(a,19600));
    let k0=v128.add<f32>(v128.load(a,0),kam),k1=v128.add<f32>(v128.load(a,16),kbm),t0=v128.add<f32>(v128.load(a,18496),tam),t1=v128.add<f32>(v128.load(a,18512),tbm);
    let g0=v128.add<f32>(kam,v128.load(a,1632)),g1=v128.add<f32>(kbm,v128.load(a,1648)),f0=v128.add<f32>(tam,v128.load(a,20128)),f1=v128.add<f32>(tbm,v128.load(a,20144));
    do{
      const kcm=v128.add<f32>(v128.load(a,576),v128.load(a,1120));const tcm=v128.add<f32>(v128.load(a,19072),v128.load(a,19616));
      const k2=v128.add<f32>(v128.load(a,32),kcm),t2=v128.add<f32>(v128.load(a,18528),tcm);
      const S=v128.add<f32>(v128.add<f32>(k0,k1),k2);const Q=v128.add<f32>(v128.add<f32>(t0,t1),t2);
      k0=k1;k1=k2;t0=t1;t1=t2;
      const c0A=v128.mul<f32>(S,v128.mul<f32>(v128.load32_splat(px,0),v128.load(py,0)));
      const cA=v128.pmin<f32>(c0A,ONE);
      const vA=v128.sqrt<f32>(v128.add<f32>(ONE,cA));const uA=v128.sqrt<f32>(v128.sub<f32>(ONE,cA));
      v128.store(b,S,0);v128.store(b,Q,544);v128.store(b,uA,1088);v128.store(b,vA,1632);
      const g2=v128.add<f32>(kcm,v128.load(a,1664)),f2=v128.add<f32>(tcm,v128.load(a,20160));
      const S2=v128.add<f32>(v128.add<f32>(g0,g1),g2);const Q2=v128.add<f32>(v128.add<f32>(f0,f1),f2);
      g0=g1;g1=g2;f0=f1;f1=f2;
      const c0B=v128.mul<f32>(S2,v128.mul<f32>(v128.load32_splat((px+xs),0),v128.load((py+ys),0)));
      const cB=v128.pmin<f32>(c0B,ONE);
      const vB=v128.sqrt<f32>(v128.add<f32>(ONE,cB));const uB=v128.sqrt<f32>(v128.sub<f32>(ONE,cB));
      v128.store(b,S2,2720);v128.store(b,Q2,3264);v128.store(b,uB,3808);v128.store(b,vB,4352);
      a+=16;b+=16;px+=8;py+=32;
    }while(b<eb);
    b=rb;px=px0+<usize>(i*W)*8;py=py0+<usize>(i*W)*32;
    do{
      const uC=v128.load(b,1088),vC=v128.load(b,1632);const SC=v128.load(b,0),QC=v128.load(b,544);
      const PC=v128.add<f32>(v128.mul<f32>(v128.add<f32>(v128.mul<f32>(v128.add<f32>(v128.mul<f32>(v128.add<f32>(v128.mul<f32>(C4,vC),C3),vC),C2),vC),C1),vC),C0);
      const kC=v128.sub<f32>(NINTH,v128.mul<f32>(uC,PC));
      const KC=v128.add<f32>(v128.mul<f32>(kC,SC),v128.mul<f32>(v128.mul<f32>(v128.load32_splat(px,4),v128.load(py,16)),v128.mul<f32>(uC,vC)));
      const MC=v128.add<f32>(v128.mul<f32>(kC,QC),KC);
      v128.store(d,KC,560);v128.store(d,MC,19056);
      const uD=v128.load(b,3808),vD=v128.load(b,4352);const SD=v128.load(b,2720),QD=v128.load(b,3264);
      const PD=v128.add<f32>(v128.mul<f32>(v128.add<f32>(v128.mul<f32>(v128.add<f32>(v128.mul<f32>(v128.add<f32>(v128.mul<f32>(C4,vD),C3),vD),C2),vD),C1),vD),C0);
      const kD=v128.sub<f32>(NINTH,v128.mul<f32>(uD,PD));
      const KD=v128.add<f32>(v128.mul<f32>(kD,SD),v128.mul<f32>(v128.mul<f32>(v128.load32_splat((px+xs),4),v128.load((py+ys),16)),v128.mul<f32>(uD,vD)));
      const MD=v128.add<f32>(v128.mul<f32>(kD,QD),KD);
      v128.store(d,KD,1104);v128.store(d,MD,19600);
      b+=16;d+=16;px+=8;py+=32;
    }while(b<eb);
  }
  if(n&1){const z=f32x4.splat(<f32>0.0);let d=dst+<usize>(n+1)*544;for(let j=0;j<=m;j++){v128.store(d,z,0);v128.store(d,z,18496);d+=16;}}
}

function lf(src:usize,dst:usize,px:usize,py:usize,n:i32,m:i32,W:i32):void{layerF(src,dst,px,py,n,m,W);}
function ln(src:usize,dst:usize,px:usize,py:usize,n:i32,m:i32,W:i32):void{layerN(src,dst,px,py,n,m,W);}
// buf: 4*ARR bytes. X: image [c][p] f32; Y: [c][p][lanes]; XT: [l][p]{r,s}; YT: [l][p]{r[],s[]}. out: 2*lanes f64 accumulators (K then M)
export function sub(buf:usize,X:usize,Y:usize,XT:usize,YT:usize,out:usize,dh:i32,dw:i32,H:i32,W:i32,C:i32,L:i32,sc:f64):void{
  const P=H*W;
  const h0=max(0,-dh),w0=max(0,-dw),n=H-abs(dh),m=W-abs(dw);
  const p0=h0*W+w0,r0=(h0+dh)*W+w0+dw;
  let src=buf,dst=buf+2*ARR;
  const z=f32x4.splat(<f32>0.0);
  // zero borders
  for(let i=0;i<4;i++){const b=buf+<usize>i*ARR;for(let j=0;j<m+2;j++){v128.store(b+<usize>j*16,z);v128.store(b+<usize>((n+1)*34+j)*16,z);}
    for(let j=0;j<n+2;j++){v128.store(b+<usize>(j*34)*16,z);v128.store(b+<usize>(j*34+m+1)*16,z);}}
  const s9=f32x4.splat(<f32>sc);
  for(let i=0;i<n;i++)for(let j=0;j<m;j++){let s=z;
    for(let c=0;c<C;c++)s=v128.add<f32>(s,v128.mul<f32>(v128.load32_splat(X+<usize>(c*P+p0+i*W+j)*4),v128.load(Y+<usize>(c*P+r0+i*W+j)*16)));
    s=v128.mul<f32>(s,s9);
    const d=src+<usize>((i+1)*34+j+1)*16;v128.store(d,s);v128.store(d,s,18496);}
  let px=XT+<usize>p0*8,py=YT+<usize>r0*32;
  for(let l=0;l<L;l++){
    if(l==0)lf(src,dst,px,py,n,m,W);else ln(src,dst,px,py,n,m,W);
    const t=src;src=dst;dst=t;px+=<usize>P*8;py+=<usize>P*32;
  }
  let sk=z,sm=z;
  for(let i=0;i<n;i++)for(let j=0;j<m;j++){const d=src+<usize>((i+1)*34+j+1)*16;sk=v128.add<f32>(sk,v128.load(d));sm=v128.add<f32>(sm,v128.load(d,18496));}
  {const v=sk;const o=out+0;
    v128.store(o,f64x2.add(v128.load(o),f64x2.promote_low_f32x4(v)));v128.store(o,f64x2.add(v128.load(o,16),f64x2.promote_low_f32x4(v128.shuffle<i32>(v,v,2,3,2,3))),16);}
  {const v=sm;const o=out+32;
    v128.store(o,f64x2.add(v128.load(o),f64x2.promote_low_f32x4(v)));v128.store(o,f64x2.add(v128.load(o,16),f64x2.promote_low_f32x4(v128.shuffle<i32>(v,v,2,3,2,3))),16);}
}
export function gap(buf:usize,X:usize,Y:usize,XT:usize,YT:usize,out:usize,H:i32,W:i32,C:i32,L:i32,sc:f64):void{
  for(let dh=1-H;dh<H;dh++)for(let dw=1-W;dw<W;dw++)sub(buf,X,Y,XT,YT,out,dh,dw,H,W,C,L,sc);
}
